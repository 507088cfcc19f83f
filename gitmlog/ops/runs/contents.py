"""A run's own files: artifacts, histories, environment, log; from the cache, else from the remote."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gitmlog.core.atomic import make_folders, process_umask, storage_errors, sync_filesystem
from gitmlog.core.errors import DataError, NotFoundError, RefusedError, UsageError
from gitmlog.core.paths import display, link_problem
from gitmlog.core.progress import SILENT, Progress
from gitmlog.metafile.schema import DirectoryFacts
from gitmlog.metafile.tree import TreeEntry
from gitmlog.ops.runs.folder import RunFolder
from gitmlog.ops.runs.going import logged
from gitmlog.ops.source import Objects
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.artifacts import NAME, Artifact, Artifacts, parse_artifacts
from gitmlog.runs.history import MAX_HISTORY, Point, history_of, parse_history
from gitmlog.runs.record import FOLDER
from gitmlog.store.materialize import Target, target

if TYPE_CHECKING:
    from gitmlog.ops.runs.find import Found

ENVIRONMENT = "environment.toml"
METRICS = "metrics.csv"
SYSTEM = "system.csv"
LOG = "log.txt"
_MAY_BE_CUT = 1000
"""Metrics of a record from which it may be that it does not hold all."""

_VERSIONED = re.compile(r"(.+)@([1-9][0-9]{0,8})", re.DOTALL)


@dataclass(frozen=True)
class Chosen:
    """One artifact, output or record that was asked for, as `path` names it: a file of it, when it is a directory."""

    artifact: Artifact
    path: str


def run_file(ws: Workspace, found: Found, name: str) -> bytes | None:
    """The text of a file in `.gitmlog/runs/ID/` of the run's commit, or None. Raises NotFoundError, kinds as `check_ended`."""
    check_ended(found)
    return ws.git.file_at(found.commit, f"{FOLDER}/{found.record.id}/{name}")


def check_ended(found: Found) -> None:
    """Refuse a run that is still going: its files are made at its end.

    Raises:
        NotFoundError: kind `run-live`.
    """
    if found.live:
        hint = "wait for its end; `gitmlog runs recover` closes a run whose process is gone"
        raise NotFoundError(f"run {found.record.id} is still going: its files are made at its end", kind="run-live", hint=hint)


def artifacts_of(ws: Workspace, found: Found) -> Artifacts:
    """What artifacts.toml lists, by path and version; nothing when there is none.

    Raises:
        DataError: kinds `bad-run`, `newer-version`.
        NotFoundError: kind `run-live`.
    """
    if found.live:
        so_far = logged(ws, found.record.id)
        return Artifacts(tuple(so_far.artifacts), tuple(so_far.replaced))
    data = run_file(ws, found, NAME)
    if data is None:
        return Artifacts()
    listed = parse_artifacts(data, f"{found.record.tag}: {NAME}")
    return Artifacts(*(tuple(sorted(each, key=_place)) for each in (listed.artifact, listed.output, listed.record)))


def _place(artifact: Artifact) -> tuple[str, int]:
    return artifact.path, artifact.version


def environment_of(ws: Workspace, found: Found) -> dict[str, Any]:
    """The tables of environment.toml; nothing when there is none. Raises as `artifacts_of`."""
    from gitmlog.runs.environment import parse_environment

    data = run_file(ws, found, ENVIRONMENT)
    return {} if data is None else parse_environment(data, f"{found.record.tag}: {ENVIRONMENT}")


def listing(ws: Workspace, found: Found) -> Artifacts:
    """`artifacts_of`, with the last version of each output that the cache keeps, which only the record names."""
    listed = artifacts_of(ws, found)
    outputs = list(listed.output)
    for path, facts in found.record.outputs.items():
        if facts.blake3 is not None:
            before = max((each.version for each in listed.output if each.path == path), default=0)
            outputs.append(Artifact(path, before + 1, facts.blake3, facts.size, facts.files))
    return Artifacts(listed.artifact, tuple(sorted(outputs, key=_place)), listed.record)


def history(ws: Workspace, found: Found, key: str, progress: Progress = SILENT) -> list[Point]:
    """The values of one metric, or of one of the machine's (`cpu.percent`), in the order they were logged.

    Raises:
        NotFoundError: kind `no-metric`.
        MissingDataError, DataError (`bad-run`, `corrupt`), RemoteError.
    """
    if found.live:
        if points := logged(ws, found.record.id).histories.get(key):
            return points
        raise _no_metric(found, key)
    listed = artifacts_of(ws, found)
    for name in (METRICS, SYSTEM):
        artifact = next((each for each in listed.record if each.path == name), None)
        if artifact is not None and (name == SYSTEM or key in found.record.metrics or len(found.record.metrics) > _MAY_BE_CUT):
            points = history_of(_read(ws, found, artifact, progress), key, f"{found.record.tag}: {name}")
            if points:
                return points
    raise _no_metric(found, key)


def _no_metric(found: Found, key: str) -> NotFoundError:
    from difflib import get_close_matches

    known = list(found.record.metrics)
    near = get_close_matches(key, known, 3) or sorted(known)[:8]
    shown = ", ".join(display(each) for each in near)
    hint = f"it has {shown}" if shown else "it logged no metric"
    return NotFoundError(f"run {found.record.id} has no metric {display(key)}", kind="no-metric", hint=hint)


def histories(ws: Workspace, found: Found, name: str = METRICS, progress: Progress = SILENT) -> dict[str, list[Point]]:
    """The values of every metric (`name` system.csv: of every one of the machine's). Raises as `history`, less `no-metric`."""
    if found.live and name == METRICS:
        return logged(ws, found.record.id).histories
    artifact = next((each for each in artifacts_of(ws, found).record if each.path == name), None)
    return {} if artifact is None else parse_history(_read(ws, found, artifact, progress), f"{found.record.tag}: {name}")


def log_text(ws: Workspace, found: Found, progress: Progress = SILENT) -> bytes:
    """What the run wrote to standard output and error; b"" when nothing was kept. Raises as `histories`."""
    if found.live:
        path = RunFolder.of(ws.home, found.record.id).log
        return path.read_bytes() if path.exists() else b""
    artifact = next((each for each in artifacts_of(ws, found).record if each.path == LOG), None)
    return b"" if artifact is None else _read(ws, found, artifact, progress)


def _read(ws: Workspace, found: Found, artifact: Artifact, progress: Progress) -> bytes:
    if artifact.size > MAX_HISTORY:
        hint = f"take it as a file: `gitmlog runs artifacts {found.record.id} {artifact.path} -o DIR`"
        raise DataError(f"{_where(found, artifact.path)} is too large to be read", kind="bad-run", hint=hint)
    with ws.cache.in_use():
        objects = Objects.of(ws, progress)
        objects.ensure({artifact.blake3: artifact.size}, {artifact.blake3: _where(found, artifact.path)})
        return objects.holder(artifact.blake3).read(artifact.blake3)


def _where(found: Found, path: str) -> str:
    return f"{path} of run {found.record.id}"


def choose(ws: Workspace, found: Found, name: str, version: int | None = None) -> Chosen:
    """What `name` (a path, or PATH@N for its version N) is of this run: an artifact, output or record, or a file of one.

    Raises:
        NotFoundError: kinds `no-artifact`, `run-live`.
    """
    listed = listing(ws, found)
    if chosen := _choose(listed, name, version):
        return chosen
    versioned = _VERSIONED.fullmatch(name)
    if versioned and version is None and (chosen := _choose(listed, versioned[1], int(versioned[2]))):
        return chosen
    shown = ", ".join(display(path) for path in sorted({each.path for each in listed.artifact})[:8])
    hint = f"it has {shown}" if shown else f"`gitmlog runs artifacts {found.record.id}` lists what it has"
    wanted = display(name if version is None else f"{name}@{version}")
    raise NotFoundError(f"run {found.record.id} has no artifact {wanted}", kind="no-artifact", hint=hint)


def _choose(listed: Artifacts, path: str, version: int | None) -> Chosen | None:
    parts = path.split("/")
    for count in range(len(parts), 0, -1):
        artifact = listed.find("/".join(parts[:count]), version)
        if artifact is not None and (count == len(parts) or artifact.files is not None):
            return Chosen(artifact, path)
    return None


def select(ws: Workspace, found: Found, names: Sequence[str]) -> list[Chosen]:
    """`choose` for several; a name may also be a folder of artifacts: the last version of each. Raises as `choose`."""
    last = {each.path: each for each in artifacts_of(ws, found).artifact}
    chosen: list[Chosen] = []
    for name in names:
        below = [Chosen(each, path) for path, each in last.items() if path.startswith(f"{name.rstrip('/')}/")]
        chosen += below or [choose(ws, found, name)]
    return chosen


def files_of(found: Found, chosen: Chosen, objects: Objects) -> dict[str, TreeEntry]:
    """The files that were chosen, by path from the top. Raises NotFoundError, kind `no-artifact`, and as Objects.tree."""
    artifact = chosen.artifact
    if artifact.files is None:
        return {chosen.path: TreeEntry("", "-", artifact.blake3, artifact.size)}
    facts = DirectoryFacts(artifact.path, artifact.blake3, artifact.size, artifact.files)
    entries = {f"{artifact.path}/{each.path}": each for each in objects.tree(facts, _where(found, artifact.path))}
    wanted = {path: each for path, each in entries.items() if path == chosen.path or path.startswith(f"{chosen.path}/")}
    if entries and not wanted:
        hint = f"`gitmlog runs artifacts {found.record.id}` lists what it has"
        raise NotFoundError(f"run {found.record.id} has no artifact {display(chosen.path)}", kind="no-artifact", hint=hint)
    return wanted


def open_artifact(ws: Workspace, found: Found, path: str, version: int | None = None, progress: Progress = SILENT) -> BinaryIO:
    """A seekable stream of one file, hashed whole before it is handed out; fetched first when the cache does not have it.

    Raises:
        NotFoundError: kinds `no-artifact`, `run-live`.
        UsageError: kind `is-directory`.
        MissingDataError, DataError (`corrupt`), RemoteError.
    """
    chosen = choose(ws, found, path, version)
    with ws.cache.in_use():
        objects = Objects.of(ws, progress)
        entry = files_of(found, chosen, objects).get(chosen.path)
        if entry is None:
            hint = "name a file of it"
            raise UsageError(f"{display(path)} of run {found.record.id} is a directory", kind="is-directory", hint=hint)
        objects.ensure({entry.oid: entry.size}, {entry.oid: _where(found, chosen.path)})
        return objects.open(entry)


def download(
    ws: Workspace,
    found: Found,
    path: str | Sequence[str] | None,
    folder: Path,
    *,
    force: bool = False,
    progress: Progress = SILENT,
) -> list[Path]:
    """Write artifacts below `folder`, which is made; `path` None: the last version of every artifact. No link is followed.

    Returns the files, sorted. They are durable.

    Raises:
        NotFoundError: kinds `no-artifact`, `run-live`.
        RefusedError: kinds `exists` (and `force` is false; nothing was written), `link-in-path`, `link-outside`.
        MissingDataError, DataError, RemoteError.
    """
    if path is None:
        last = {each.path: each for each in artifacts_of(ws, found).artifact}
        chosen = [Chosen(each, each.path) for each in last.values()]
    else:
        chosen = select(ws, found, [path] if isinstance(path, str) else path)
    return write(ws, found, chosen, folder, force=force, progress=progress)


def write(
    ws: Workspace, found: Found, chosen: Sequence[Chosen], folder: Path, *, force: bool = False, progress: Progress = SILENT
) -> list[Path]:
    """`download` of what was chosen. Raises as that."""
    with storage_errors("writing artifacts"), ws.cache.in_use():
        objects = Objects.of(ws, progress)
        entries: dict[str, TreeEntry] = {}
        for each in chosen:
            entries |= _new(entries, files_of(found, each, objects))
        _check_free(folder, entries, force)
        names = {entry.oid: _where(found, name) for name, entry in entries.items()}
        objects.ensure({entry.oid: entry.size for entry in entries.values()}, names)
        _write(ws, objects, entries, folder, force)
    return [folder / name for name in sorted(entries)]


def _new(entries: Mapping[str, TreeEntry], more: Mapping[str, TreeEntry]) -> Mapping[str, TreeEntry]:
    for name, entry in more.items():
        if name in entries and entries[name].oid != entry.oid:
            hint = "write one of them into another folder"
            raise UsageError(f"two versions of {display(name)} have one name", kind="bad-path", hint=hint)
    return more


def _check_free(folder: Path, entries: Mapping[str, TreeEntry], force: bool) -> None:
    for name in entries:
        if not force and os.path.lexists(folder / name):
            raise _exists(folder / name)


def _exists(place: Path) -> RefusedError:
    hint = "choose another place with -o, or replace it with --force"
    return RefusedError(f"{display(place)} exists", kind="exists", hint=hint)


def _write(ws: Workspace, objects: Objects, entries: Mapping[str, TreeEntry], folder: Path, force: bool) -> None:
    make_folders(folder)
    with ws.temporary() as temporary, target(folder, temporary, ["copy"], process_umask()) as opened:
        if not force:
            opened.guard = lambda fd, name: _stay(folder, fd, name)
        with objects.progress.task("writing artifacts", sum(entry.size for entry in entries.values()), "bytes") as task:
            for name, entry in entries.items():
                _write_one(opened, objects, name, entry)
                task.advance(entry.size)
    sync_filesystem(folder)


def _stay(folder: Path, fd: int, name: str) -> None:
    """What appeared meanwhile stays."""
    try:
        os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return
    raise _exists(folder / name)


def _write_one(opened: Target, objects: Objects, name: str, entry: TreeEntry) -> None:
    if entry.kind != "l":
        opened.write(objects.holder(entry.oid), name, entry.oid, entry.size, executable=entry.kind == "x")
        return
    text = os.fsdecode(objects.holder(entry.oid).read(entry.oid))
    if problem := link_problem(entry.path, text):
        raise RefusedError(f"{display(name)} -> {display(text)}: {problem}", kind="link-outside", hint="name the other files")
    opened.write_link(name, text)
