"""Real runs for tests: objects in the cache, a commit and an annotated tag by git's own plumbing (spec: run.md, tags.md)."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from gitmlog.core.digest import ObjectId
from gitmlog.metafile.schema import FileFacts, Metafile
from gitmlog.metafile.text import format_metafile
from gitmlog.metafile.tree import TreeEntry, format_tree
from gitmlog.runs.artifacts import Artifact, Artifacts, format_artifacts
from gitmlog.runs.environment import format_environment
from gitmlog.runs.history import Point, format_history
from gitmlog.runs.record import CodeFacts, DataFacts, MetricFacts, RunRecord, format_run
from gitmlog.runs.tags import format_commit, format_tag
from gitmlog.store.cache import Cache, Writer
from tests.conftest import Sandbox

FIRST = "20260101-000000-swift-otter"
ENVIRONMENT: dict[str, dict[str, Any]] = {
    "python": {"version": "3.11.7", "implementation": "CPython"},
    "packages": {"numpy": "2.4.6", "scikit-learn": "1.7.0"},
    "system": {"os": "Linux", "cpu": "a CPU", "cores": 2, "threads": 4, "memory": 8_000_000_000},
}
Values = Sequence[tuple[int, float]]
Logged = bytes | Sequence[bytes] | Mapping[str, bytes]


@dataclass(frozen=True)
class Made:
    """A run that was made: its record, the ids of its commit and of its tag object."""

    record: RunRecord
    commit: str
    tag_object: str


def make_run(
    sandbox: Sandbox,
    run_id: str = FIRST,
    *,
    params: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Values] | None = None,
    files: Mapping[str, bytes | str | None] | None = None,
    artifacts: Mapping[str, Logged] | None = None,
    outputs: Mapping[str, bytes] | None = None,
    environment: Mapping[str, Mapping[str, Any]] | None = None,
    log: bytes | None = None,
    history: bytes | None = None,
    system: Mapping[str, Values] | None = None,
    texts: Mapping[str, bytes] | None = None,
    ref: str | None = None,
    **facts: Any,
) -> Made:
    """Record a run; the working tree, the index and the branch stay as they are.

    `files` are what the snapshot has other than HEAD (None: deleted); of `artifacts` a list is several versions, a mapping a
    directory; `facts` are any other fields of RunRecord. `history` stands in for the text of metrics.csv, `texts` for files in
    `.gitmlog/runs/ID`, `ref` for the ref of the tag (refs/gitmlog/runs/ID: archived).
    """
    head = sandbox.run("git", "rev-parse", "-q", "--verify", "HEAD").out.strip()
    if metrics and history is None:
        history = format_history((key, points(values)) for key, values in sorted(metrics.items()))
    machine = format_history((key, points(values)) for key, values in system.items()) if system else None
    kept = _keep(sandbox, artifacts or {}, outputs or {}, {"metrics.csv": history, "log.txt": log, "system.csv": machine})
    tree = _tree(sandbox, head, files or {})
    record = _record(sandbox, run_id, head, tree, facts)
    record = replace(
        record,
        params={key: tuple(value) if isinstance(value, list) else value for key, value in (params or {}).items()},
        metrics={key: _facts(values) for key, values in (metrics or {}).items()},
        outputs={**record.outputs, **{path: DataFacts(len(data), kept.outputs[path]) for path, data in (outputs or {}).items()}},
    )
    folder = f".gitmlog/runs/{run_id}"
    own: dict[str, bytes] = {"run.toml": format_run(record), "artifacts.toml": format_artifacts(kept.artifacts)}
    own["environment.toml"] = format_environment(ENVIRONMENT if environment is None else environment)
    added = {f"{folder}/{name}": data for name, data in (own | dict(texts or {})).items()}
    added |= {f"{path}.gitmlog": _metafile(path, oid, len((outputs or {})[path])) for path, oid in kept.outputs.items()}
    whole = _tree(sandbox, tree, added)
    parents = ["-p", head] if head else []
    commit = git(sandbox, "commit-tree", whole, *parents, data=format_commit(record).encode())
    git(sandbox, "tag", "-a", "--cleanup=verbatim", "-F", "-", record.tag, commit, data=format_tag(record).encode())
    tag_object = git(sandbox, "rev-parse", f"refs/tags/{record.tag}")
    if ref is not None:
        git(sandbox, "update-ref", ref, tag_object)
        git(sandbox, "update-ref", "-d", f"refs/tags/{record.tag}")
    return Made(record, commit, tag_object)


def points(values: Values, start: float = 1_767_225_600.0) -> list[Point]:
    """Values with a time each, a second apart."""
    return [Point(step, start + number, value) for number, (step, value) in enumerate(values)]


def git(sandbox: Sandbox, *arguments: str, data: bytes = b"", env: Mapping[str, str] | None = None) -> str:
    """What git prints."""
    done = subprocess.run(
        ["git", *arguments], cwd=sandbox.root, input=data, capture_output=True, env={**os.environ, **(env or {})}, check=False
    )
    assert done.returncode == 0, f"git {arguments}: {done.stderr!r}"
    return done.stdout.decode().strip()


@dataclass(frozen=True)
class _Kept:
    artifacts: Artifacts
    outputs: Mapping[str, ObjectId]


def _keep(
    sandbox: Sandbox, artifacts: Mapping[str, Logged], outputs: Mapping[str, bytes], records: Mapping[str, bytes | None]
) -> _Kept:
    """Put all bytes into the cache."""
    with Cache(sandbox.root / ".git/gitmlog/cache").writing() as writer:
        logged = [artifact for path, value in artifacts.items() for artifact in _log(writer, path, value)]
        kept = [Artifact(name, 1, writer.put(data), len(data)) for name, data in records.items() if data is not None]
        return _Kept(Artifacts(tuple(logged), (), tuple(kept)), {path: writer.put(data) for path, data in outputs.items()})


def _log(writer: Writer, path: str, value: Logged) -> list[Artifact]:
    if isinstance(value, Mapping):
        entries = [TreeEntry(name, "-", writer.put(data), len(data)) for name, data in value.items()]
        return [Artifact(path, 1, writer.put(format_tree(entries)), sum(map(len, value.values())), len(entries))]
    versions = [value] if isinstance(value, bytes) else value
    return [Artifact(path, number, writer.put(data), len(data)) for number, data in enumerate(versions, 1)]


def _record(sandbox: Sandbox, run_id: str, head: str, tree: str, facts: Mapping[str, Any]) -> RunRecord:
    started = datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    branch = sandbox.run("git", "symbolic-ref", "-q", "--short", "HEAD").out.strip()
    record = RunRecord(
        id=run_id,
        name=run_id[16:],
        status="FINISHED",
        started=started,
        ended=started + timedelta(seconds=float(facts.get("seconds", 12.5))),
        seconds=12.5,
        command=("python", "train.py"),
        folder=".",
        code=CodeFacts(tree, head, branch if head else ""),
        exit=0,
        user="ada",
        host="lab1",
    )
    return replace(record, **facts)


def _facts(values: Values) -> MetricFacts:
    last_step, last = values[-1]
    numbers = [float(value) for _, value in values if not math.isnan(value)] or [math.nan]
    return MetricFacts(float(last), min(numbers), max(numbers), last_step, len(values))


def _metafile(path: str, oid: ObjectId, size: int) -> bytes:
    return format_metafile(Metafile(FileFacts(PurePosixPath(path).name, oid, size)))


def _tree(sandbox: Sandbox, base: str, files: Mapping[str, bytes | str | None]) -> str:
    """The id of `base`'s tree with these files instead."""
    index = sandbox.root / ".git/index-of-test"
    index.unlink(missing_ok=True)
    env = {"GIT_INDEX_FILE": str(index)}
    git(sandbox, "read-tree", *([base] if base else ["--empty"]), env=env)
    lines = []
    for path, data in files.items():
        raw = data.encode() if isinstance(data, str) else data
        blob = "0" * 40 if raw is None else git(sandbox, "hash-object", "-w", "--stdin", data=raw)
        lines.append(f"{'0' if raw is None else '100644'} {blob}\t{path}\0")
    if lines:
        git(sandbox, "update-index", "-z", "--index-info", data="".join(lines).encode(), env=env)
    try:
        return git(sandbox, "write-tree", env=env)
    finally:
        index.unlink(missing_ok=True)
