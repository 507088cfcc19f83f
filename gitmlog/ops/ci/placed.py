"""Whether the remote has the objects that a branch names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gitmlog.core.digest import ObjectId
from gitmlog.core.progress import Progress
from gitmlog.metafile.schema import Metafile
from gitmlog.ops.ci.facts import PathChange, RunAdded
from gitmlog.remote.base import Remote
from gitmlog.remote.open import open_remote
from gitmlog.repo.config import Config
from gitmlog.repo.remotes import check_trust, choose_remote, remote_spec
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.record import FOLDER

Sizes = Mapping[ObjectId, int | None]


def sizes_of(metafiles: Iterable[Metafile]) -> dict[ObjectId, int | None]:
    """The objects that these name, with their bytes; None for a tree, whose own size nobody says."""
    return {each.oid: None if each.is_directory else each.facts.size for each in metafiles}


def open_of(ws: Workspace, config: Config, name: str | None) -> Remote:
    """The remote of these settings. Raises NotFoundError, RefusedError, RemoteError."""
    chosen = choose_remote(config, name)
    check_trust(config, chosen, ws.trust_file, explicit=name is not None)
    return open_remote(remote_spec(config, chosen))


def placed(
    remote: Remote,
    paths: Sequence[PathChange],
    runs: Sequence[RunAdded],
    objects: Mapping[str, Sizes],
    progress: Progress,
) -> tuple[list[PathChange], list[RunAdded]]:
    """The same, with what the remote was seen to have, in the size that the metafile says; a tree there promises all it lists."""
    wanted = sizes_of(each.change.new for each in paths if each.change.new is not None)
    for of_run in objects.values():
        wanted.update(of_run)
    there = remote.exist(list(wanted), progress, sizes={oid: size for oid, size in wanted.items() if size is not None})
    return [_path(each, there) for each in paths], [_run(each, objects.get(each.record.id, {}), there) for each in runs]


def _path(each: PathChange, there: set[ObjectId]) -> PathChange:
    if each.change.new is None:
        return each
    return replace(each, place="there" if each.change.new.oid in there else "missing")


def _run(run: RunAdded, objects: Sizes, there: set[ObjectId]) -> RunAdded:
    lost = [oid for oid in objects if oid not in there]
    return RunAdded(run.record, len(objects), tuple(f"{FOLDER}/{run.record.id}: object {oid[:12]}" for oid in lost))
