"""Which files runs have written: they are no code, and so in no snapshot (spec: run.md, The snapshot)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gitmlog.core.atomic import read_plain
from gitmlog.core.errors import GitmlogError
from gitmlog.core.locks import locked
from gitmlog.git.durable import ref_target
from gitmlog.ops.runs.folder import replace_plain, runs_folder
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.record import is_run_id
from gitmlog.runs.tags import ARCHIVE, PREFIX

Stat = list[Any]
_MAX = 32 << 20


class Products:
    """What runs of this clone have written.

    Attributes:
        outputs: paths.
        artifacts: untracked files that were logged, with the stat they had.
        kept: outputs that git itself tracks, with the stat they had when a run's commit took them in, and that run's id.
    """

    def __init__(
        self, outputs: set[str] | None = None, artifacts: dict[str, Stat] | None = None, kept: dict[str, Stat] | None = None
    ) -> None:
        self.outputs = outputs or set()
        self.artifacts = artifacts or {}
        self.kept = kept or {}

    @classmethod
    def load(cls, home: Path) -> Products:
        """What this clone knows."""
        try:
            found = json.loads(read_plain(runs_folder(home) / "products.json", _MAX))
            stats = [{str(path): list(stat) for path, stat in found.get(key, {}).items()} for key in ("artifacts", "kept")]
            return cls({str(path) for path in found["outputs"]}, *stats)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls()

    def is_product(self, root: Path, path: str) -> bool:
        """Whether the file at `path` below `root` was written by a run, and no one else since."""
        if path in self.outputs or any(path.startswith(f"{output}/") for output in self.outputs):
            return True
        return path in self.artifacts and self.artifacts[path] == stat_of(root / path)

    def is_kept(self, ws: Workspace, path: str) -> bool:
        """Whether the file that git tracks at `path` is as a run wrote it, and that run's commit, which has it, is there."""
        *stat, run = self.kept.get(path) or [None]
        if not isinstance(run, str) or stat != stat_of(ws.root / path):
            return False
        return any(ref_target(ws.git, prefix + run) for prefix in (PREFIX, ARCHIVE) if is_run_id(run))


def stat_of(path: Path) -> Stat:
    """Size, modification time in nanoseconds and inode of a file; empty when it is not there."""
    try:
        info = os.lstat(path)
    except OSError:
        return []
    return [info.st_size, info.st_mtime_ns, info.st_ino]


def remember(home: Path, outputs: Iterable[str], artifacts: dict[str, Stat], kept: dict[str, Stat]) -> None:
    """Add to what this clone knows. That it cannot be written is no reason for a run to fail."""
    with suppress(GitmlogError, OSError), locked(runs_folder(home) / "products.lock", wait=10):
        known = Products.load(home)
        if (
            known.outputs.issuperset(outputs)
            and known.artifacts.items() >= artifacts.items()
            and known.kept.items() >= kept.items()
        ):
            return
        facts = {
            "outputs": sorted(known.outputs.union(outputs)),
            "artifacts": known.artifacts | artifacts,
            "kept": known.kept | kept,
        }
        path = runs_folder(home) / "products.json"
        replace_plain(path, path.with_name("products.json.new"), json.dumps(facts).encode())
