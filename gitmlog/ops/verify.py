"""Reading every byte and comparing it with its name; no mode bit, size or state entry is believed (spec: cache.md, Objects)."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from gitmlog.core.atomic import storage_errors
from gitmlog.core.digest import ObjectId, hash_fd
from gitmlog.core.errors import GitmlogError, NotFoundError, UsageError
from gitmlog.core.progress import SILENT, Progress, Task
from gitmlog.ops.needed import Chosen, Needs, chosen_ever, chosen_now, collect
from gitmlog.ops.repair import repair_here, repair_remote
from gitmlog.ops.sync import connect
from gitmlog.remote.base import Remote
from gitmlog.repo.workspace import Workspace

Condition = Literal["damaged", "missing"]
Place = Literal["cache", "remote"]


@dataclass(frozen=True)
class VerifyOptions:
    """What to read, and what to do about damage.

    Attributes:
        remote: read what is needed on the remote too.
        remote_name: the remote to read and to repair from, or None for the default.
        repair: replace what is damaged or missing: here from the remote or the working tree, and there (with `remote`) from here.
        all: what all revisions need that can be reached, not only this one.
    """

    remote: bool = False
    remote_name: str | None = None
    repair: bool = False
    all: bool = False


@dataclass(frozen=True)
class Problem:
    """An object that is not as it should be.

    Attributes:
        oid: the object.
        place: where.
        condition: its bytes are others, or it is not there.
        paths: the tracked paths that need it; empty when no reachable metafile does.
        repaired: whether it is whole now.
    """

    oid: ObjectId
    place: Place
    condition: Condition
    paths: tuple[str, ...] = ()
    repaired: bool = False


@dataclass(frozen=True)
class VerifyReport:
    """What was read and what was found.

    Attributes:
        objects: of the cache that were hashed.
        bytes: of those.
        remote: the remote that was read, or None.
        remote_objects: that were read there.
        not_cached: objects that the cache does not have, and that are whole on the remote.
        problems: by path.
        unreadable: metafiles of the working tree that cannot be read: what they need is not known.
        notes: other remarks.
    """

    objects: int
    bytes: int
    remote: str | None = None
    remote_objects: int = 0
    not_cached: int = 0
    problems: tuple[Problem, ...] = ()
    unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing damaged, missing or unreadable remains."""
        return not self.unreadable and all(problem.repaired for problem in self.problems)


@dataclass
class _Findings:
    hashed: int = 0
    bytes: int = 0
    here: dict[ObjectId, Condition] = field(default_factory=dict)
    there: dict[ObjectId, Condition] = field(default_factory=dict)
    whole_there: set[ObjectId] = field(default_factory=set)
    repaired_here: set[ObjectId] = field(default_factory=set)
    repaired_there: set[ObjectId] = field(default_factory=set)


def verify(
    ws: Workspace, paths: Sequence[str], base: Path, options: VerifyOptions | None = None, *, progress: Progress = SILENT
) -> VerifyReport:
    """Hash the objects of `paths` (all in the cache when there are none); a damaged one is moved to quarantine.

    With `options.repair`, a whole one that lies in quarantine is taken back first.

    Raises:
        NotFoundError: kinds `not-tracked`, `no-remote`.
        RemoteError: the remote cannot be read.
        RefusedError: kind `remote-changed`.
        StorageError: a damaged object cannot be moved away.
    """
    options = options or VerifyOptions()
    if options.all and paths:
        raise UsageError("--all and PATH do not go together")
    found, needs = _Findings(), Needs()
    with storage_errors("verifying"), ws.cache.in_use():
        chosen = chosen_now(ws, paths, base, needs.bad)
        if options.all:
            chosen += chosen_ever(ws, needs.notes)
        if options.repair and (taken := ws.cache.take_back()):
            needs.notes.append(f"{len(taken)} object(s) in quarantine are whole: taken back")
        if not paths:
            _hash_here(ws, list(ws.cache), found, progress)
        else:
            _hash_here(ws, {metafile.oid for _, metafile in chosen if ws.cache.has(metafile.oid)}, found, progress)
        remote = connect(ws, options.remote_name) if options.remote else None
        _complete_trees(ws, chosen, needs, found, options, remote, progress)
        if paths:
            _hash_here(ws, {oid for oid in needs.files if ws.cache.has(oid)}, found, progress)
        _note_missing(ws, needs, found)
        _repair(ws, chosen, needs, found, options, remote, progress)
        if remote is not None:
            _read_remote(ws, remote, needs, found, options, progress)
        _name_damaged(ws, needs, found)
        _forget_rows(ws, chosen, needs, found)
    return _report(needs, found, remote)


def _hash_here(ws: Workspace, oids: Collection[ObjectId], found: _Findings, progress: Progress) -> None:
    total = sum(ws.cache.size(oid) or 0 for oid in oids)
    with progress.task("verifying the cache", total, "bytes") as task, ThreadPoolExecutor(ws.jobs) as pool:
        for oid, (actual, size) in zip(oids, pool.map(lambda oid: _hash(ws, oid, task), oids), strict=True):
            found.hashed, found.bytes = found.hashed + 1, found.bytes + size
            if actual != oid:
                ws.cache.set_aside(oid)
                found.here[oid] = "damaged"


def _hash(ws: Workspace, oid: ObjectId, task: Task) -> tuple[ObjectId | None, int]:
    """An object that the disk cannot read (EIO) is as lost as one whose bytes changed."""
    try:
        fd = os.open(ws.cache.name_of(oid), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None, 0
    try:
        actual, size = hash_fd(fd, os.fstat(fd).st_size)
    except OSError:
        return None, 0
    finally:
        os.close(fd)
    task.advance(size)
    return actual, size


def _complete_trees(
    ws: Workspace,
    chosen: Chosen,
    needs: Needs,
    found: _Findings,
    options: VerifyOptions,
    remote: Remote | None,
    progress: Progress,
) -> None:
    """Trees first: without one it is not known which files are needed."""
    collect(ws, chosen, needs)
    for oid in needs.unread:
        found.here.setdefault(oid, "damaged" if (ws.cache.quarantine / oid).exists() else "missing")
    if not needs.unread:
        return
    if options.repair:
        found.repaired_here |= repair_here(ws, chosen, set(needs.unread), needs, _source(ws, options, remote), progress)
    elif remote is not None:
        _receive(ws, remote, set(needs.unread), progress)
    collect(ws, chosen, needs)
    needs.notes += [f"the files of {path} are not known: its tree cannot be read" for path in _paths(needs, needs.unread)]


def _receive(ws: Workspace, remote: Remote, oids: set[ObjectId], progress: Progress) -> None:
    from gitmlog.store.odb import CacheDB

    remote.receive(CacheDB(ws.cache), oids, progress=progress)


def _source(ws: Workspace, options: VerifyOptions, remote: Remote | None) -> Remote | None:
    """The remote to repair from. Without one there is still the working tree."""
    if remote is not None:
        return remote
    try:
        return connect(ws, options.remote_name)
    except NotFoundError:
        if options.remote_name is not None:
            raise
        return None


def _note_missing(ws: Workspace, needs: Needs, found: _Findings) -> None:
    for oid in needs.all:
        if not ws.cache.has(oid):
            found.here.setdefault(oid, "missing")


def _repair(
    ws: Workspace,
    chosen: Chosen,
    needs: Needs,
    found: _Findings,
    options: VerifyOptions,
    remote: Remote | None,
    progress: Progress,
) -> None:
    broken = {oid for oid in found.here if not ws.cache.has(oid)}
    if options.repair and broken:
        found.repaired_here |= repair_here(ws, chosen, broken, needs, _source(ws, options, remote), progress)


def _read_remote(
    ws: Workspace, remote: Remote, needs: Needs, found: _Findings, options: VerifyOptions, progress: Progress
) -> None:
    for oid, health in remote.verify(needs.all, progress=progress).items():
        if health == "ok":
            found.whole_there.add(oid)
        else:
            found.there[oid] = "missing" if health == "missing" else "damaged"
    if options.repair and found.there:
        found.repaired_there = repair_remote(ws, remote, found.there, set(needs.trees), progress)
    ws.pushed.record(remote.spec.url, found.whole_there | found.repaired_there)
    ws.pushed.forget(remote.spec.url, found.there.keys() - found.repaired_there)


def _name_damaged(ws: Workspace, needs: Needs, found: _Findings) -> None:
    """A damaged object that this revision does not need may belong to another."""
    unnamed = {oid for oid in found.here if oid not in needs.paths}
    if not unnamed:
        return
    ever = Needs()
    try:
        collect(ws, chosen_ever(ws, ever.notes), ever)
    except GitmlogError as error:
        needs.notes.append(f"to which revision they belong is not known: {error.message}")
    for oid in unnamed & ever.paths.keys():
        needs.paths[oid] = ever.paths[oid]


def _forget_rows(ws: Workspace, chosen: Chosen, needs: Needs, found: _Findings) -> None:
    """A working file that is a hard link to a damaged object is damaged with it, and its stat does not tell."""
    paths = _paths(needs, (oid for oid, condition in found.here.items() if condition == "damaged"))
    for root in {selection.path for selection, _ in chosen}:
        if any(path == root or path.startswith(f"{root}/") for path in paths):
            ws.state.forget(root)


def _report(needs: Needs, found: _Findings, remote: Remote | None) -> VerifyReport:
    elsewhere = {oid for oid, condition in found.here.items() if condition == "missing" and oid in found.whole_there}
    elsewhere -= found.repaired_here
    here = [
        _problem(oid, "cache", condition, needs, oid in found.repaired_here)
        for oid, condition in found.here.items()
        if oid not in elsewhere
    ]
    there = [_problem(oid, "remote", condition, needs, oid in found.repaired_there) for oid, condition in found.there.items()]
    report = VerifyReport(found.hashed, found.bytes, unreadable=tuple(needs.bad), notes=tuple(dict.fromkeys(needs.notes)))
    ordered = sorted(here + there, key=lambda problem: (problem.paths, problem.oid, problem.place))
    if remote is None:
        return replace(report, problems=tuple(ordered))
    read = len(found.whole_there) + len(found.there)
    return replace(report, problems=tuple(ordered), remote=remote.spec.name, remote_objects=read, not_cached=len(elsewhere))


def _problem(oid: ObjectId, place: Place, condition: Condition, needs: Needs, repaired: bool) -> Problem:
    return Problem(oid, place, condition, tuple(sorted(needs.paths.get(oid, ()))), repaired)


def _paths(needs: Needs, oids: Iterable[ObjectId]) -> list[str]:
    return sorted({path for oid in oids for path in needs.paths.get(oid, ())})
