"""Removing what nothing reaches, in two phases: into the trash, and, after a grace period, out of it (spec: cache.md, gc)."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gitmlog.core.atomic import storage_errors
from gitmlog.core.digest import ObjectId, is_object_id
from gitmlog.core.errors import GitmlogError, RefusedError
from gitmlog.core.locks import locked
from gitmlog.core.paths import display
from gitmlog.core.progress import SILENT, Progress
from gitmlog.core.session import clean_sessions
from gitmlog.git.history import worktree_gitdirs
from gitmlog.git.repository import GitRepo
from gitmlog.ops.reach import Reach, find_reachable, is_tree
from gitmlog.ops.sync import connect
from gitmlog.remote.base import Remote
from gitmlog.remote.urls import parse_url
from gitmlog.repo.remotes import check_trust, default_remote
from gitmlog.repo.workspace import Workspace

_DAY = 86400.0


@dataclass(frozen=True)
class GcOptions:
    """What to do.

    Attributes:
        prune: do it; else only say what would be done.
        grace: days that an object stays in the trash, or None for the configured number.
        unpushed: also take what no remote holds.
        clones: other clones that use this cache: what they reach is kept.
        no_other_clones: this clone and `clones` are all that use the cache.
    """

    prune: bool = False
    grace: int | None = None
    unpushed: bool = False
    clones: tuple[Path, ...] = ()
    no_other_clones: bool = False


class Amount(NamedTuple):
    """How many objects, and their bytes."""

    objects: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class GcReport:
    """What was done, or, when `pruned` is false, what would be.

    Attributes:
        pruned: whether it was done.
        reachable: objects of the cache that something reaches.
        unpushed: objects that nothing reaches and no remote holds: kept.
        moved: into the trash.
        deleted: out of the trash, for good.
        restored: taken back from the trash, since something reaches them again.
        trash: what is in the trash after it.
        sessions: temporary folders of killed processes that were removed.
        notes: what limits this answer.
    """

    pruned: bool
    reachable: Amount
    unpushed: Amount
    moved: Amount
    deleted: Amount
    restored: Amount
    trash: Amount
    sessions: int = 0
    notes: tuple[str, ...] = ()


@dataclass
class _Plan:
    now: float
    grace: float
    reach: Reach
    sizes: dict[ObjectId, int]
    trashed: dict[ObjectId, os.stat_result]
    held: set[ObjectId] | None = None
    notes: list[str] = field(default_factory=list)

    def may_go(self, oid: ObjectId) -> bool:
        return oid not in self.reach.oids and (self.held is None or oid in self.held)

    @property
    def move(self) -> list[ObjectId]:
        return [oid for oid in self.sizes if self.may_go(oid)]

    @property
    def restore(self) -> list[ObjectId]:
        return [oid for oid in self.trashed if oid in self.reach.oids]

    @property
    def delete(self) -> list[ObjectId]:
        """With no grace at all, also what is only now moved there."""
        old = [oid for oid, info in self.trashed.items() if self.may_go(oid) and self.now - info.st_mtime >= self.grace]
        return old + (self.move if self.grace <= 0 else [])

    @property
    def unpushed(self) -> list[ObjectId]:
        return [oid for oid in (*self.sizes, *self.trashed) if oid not in self.reach.oids and not self.may_go(oid)]

    def amount(self, oids: Iterable[ObjectId]) -> Amount:
        sizes = [self.sizes[oid] if oid in self.sizes else self.trashed[oid].st_size for oid in set(oids)]
        return Amount(len(sizes), sum(sizes))

    def report(self, pruned: bool, sessions: int) -> GcReport:
        trash = (self.trashed.keys() | set(self.move)) - set(self.delete) - set(self.restore)
        return GcReport(
            pruned,
            self.amount(oid for oid in self.sizes if oid in self.reach.oids),
            self.amount(self.unpushed),
            self.amount(self.move),
            self.amount(self.delete),
            self.amount(self.restore),
            self.amount(trash),
            sessions,
            tuple(dict.fromkeys([*self.notes, *self.reach.notes, *self.reach.newer])),
        )


def gc(ws: Workspace, options: GcOptions | None = None, *, progress: Progress = SILENT) -> GcReport:
    """Find what nothing reaches; with `options.prune`, remove it. A killed gc is finished by running it again.

    Raises:
        RefusedError: with `prune`: kinds `shared-cache`, `newer-version`, `missing-trees`: what is needed is not known.
        GitError: kind `damaged-repository`.
        StorageError: the cache cannot be written.
    """
    options = options or GcOptions()
    clones = [Workspace.open(clone, ws.user_config) for clone in options.clones]
    repos = [ws.git, *(clone.git for clone in clones)]
    with storage_errors("collecting garbage"):
        if options.prune:
            _check_shared(ws, options)
        with ws.cache.in_use():
            plan = _plan(ws, repos, options)
            _fetch_trees(ws, plan, repos, progress)
            _ask_remotes(ws, plan, options, progress)
        if not options.prune:
            return plan.report(False, 0)
        _check_known(plan, options)
        with locked(ws.cache.lock, progress=progress):
            _check_shared(ws, options)  # whoever came since then said so before they took the lock
            # Whoever committed, added or checked out since then made something reachable that was not.
            found = _plan(ws, repos, options)
            found.held, found.notes = plan.held, plan.notes
            _check_known(found, options)
            _carry_out(ws, found)
        return found.report(True, _clean(ws))


def is_shared(ws: Workspace) -> bool:
    """Whether other clones may use the cache: it lies elsewhere, or another clone that uses it said so."""
    return ws.config.get("cache.dir") is not None or ws.cache.is_elsewhere or ws.cache.shared.exists()


def _check_shared(ws: Workspace, options: GcOptions) -> None:
    if not is_shared(ws) or options.no_other_clones:
        return
    hint = (
        "name the other clones with --clone DIR, and say with --no-other-clones that these are all; "
        "without --prune nothing is removed"
    )
    users = [user for user in ws.cache.users() if user != display(ws.git.commondir)]
    named = f" (it is used by {', '.join(users)})" if users else ""
    message = f"the cache {display(ws.cache.root)} may be shared{named}, and what other clones need is not known here"
    raise RefusedError(message, kind="shared-cache", hint=hint)


def _plan(ws: Workspace, repos: list[GitRepo], options: GcOptions) -> _Plan:
    for repo in repos:
        repo.refresh_index()
    days = options.grace if options.grace is not None else ws.config.integer("gc.grace")
    reach = find_reachable(ws.cache, repos)
    sizes = {oid: size for oid in ws.cache if (size := _size(ws.cache.name_of(oid))) is not None}
    return _Plan(time.time(), days * _DAY, reach, sizes, _trashed(ws.cache.trash))


def _size(name: str) -> int | None:
    try:
        return os.stat(name).st_size
    except FileNotFoundError:
        return None


def _trashed(trash: Path) -> dict[ObjectId, os.stat_result]:
    found: dict[ObjectId, os.stat_result] = {}
    for folder in trash.iterdir() if trash.is_dir() else ():
        for entry in os.scandir(folder) if folder.is_dir() else ():
            if is_object_id(folder.name + entry.name):
                found[ObjectId(folder.name + entry.name)] = entry.stat(follow_symlinks=False)
    return found


def _fetch_trees(ws: Workspace, plan: _Plan, repos: list[GitRepo], progress: Progress) -> None:
    """Without a tree it is not known what it lists; trees are small."""
    from gitmlog.store.odb import CacheDB

    for remote in _remotes(ws, plan.notes) if plan.reach.missing_trees else []:
        try:
            remote.receive(CacheDB(ws.cache), plan.reach.missing_trees, progress=progress)
        except GitmlogError as error:
            plan.notes.append(f"remote {remote.spec.name}: {error.message}")
    if any(ws.cache.has(oid) for oid in plan.reach.missing_trees):
        plan.reach = find_reachable(ws.cache, repos)
    if plan.reach.missing_trees:
        count = len(plan.reach.missing_trees)
        plan.notes.append(f"{count} reachable tree(s) could not be had: what they list is not known here")


def _remotes(ws: Workspace, notes: list[str]) -> list[Remote]:
    """Nobody named them: of those that a commit brought, only what was used before is asked, or else the default."""
    found = []
    default = default_remote(ws.config)
    for name in sorted(ws.config.remotes(), key=lambda name: name != default):
        try:
            check_trust(ws.config, name, ws.trust_file, explicit=False)
            remote = connect(ws, name)
            if not _is_own_cache(ws, remote):
                found.append(remote)
        except GitmlogError as error:
            notes.append(f"remote {name} was not asked: {error.message}")
    return found


def _is_own_cache(ws: Workspace, remote: Remote) -> bool:
    """The cache lies as a remote does: as its own remote it would vouch for what is about to go."""
    location = parse_url(remote.spec.url)
    return location.scheme == "file" and Path(location.path).resolve() == ws.cache.root.resolve()


def _ask_remotes(ws: Workspace, plan: _Plan, options: GcOptions, progress: Progress) -> None:
    if options.unpushed:
        return
    sizes = plan.sizes | {oid: info.st_size for oid, info in plan.trashed.items()}
    asked = {oid: size for oid, size in sizes.items() if oid not in plan.reach.oids}
    plan.held = set()
    for remote in _remotes(ws, plan.notes) if asked else []:
        try:
            plan.held |= remote.exist(asked, progress, sizes=asked)
        except GitmlogError as error:
            plan.notes.append(f"remote {remote.spec.name} was not asked: {error.message}")


def _check_known(plan: _Plan, options: GcOptions) -> None:
    if plan.reach.newer:
        hint = "upgrade gitmlog: `python -m pip install --upgrade gitmlog`"
        raise RefusedError(f"what is needed is not known: {plan.reach.newer[0]}", kind="newer-version", hint=hint)
    if plan.reach.missing_trees and options.unpushed:
        hint = "fetch them first (`gitmlog fetch --all`), or leave out --unpushed: only what a remote holds goes then"
        message = f"{len(plan.reach.missing_trees)} reachable tree(s) cannot be read: what they list would be lost"
        raise RefusedError(message, kind="missing-trees", hint=hint)


def _carry_out(ws: Workspace, plan: _Plan) -> None:
    """Trees go before what they list: a tree that is there says that all of it was."""
    for oid in plan.restore:
        ws.cache.has(oid)
    trees = {oid for oid in plan.move if is_tree(ws.cache, oid)}
    old_trees = {oid for oid in plan.delete if oid not in plan.sizes and _begins_as_tree(ws, oid)}
    for oid in _first(plan.move, trees):
        _to_trash(ws, oid, plan.now)
    for oid in _first(plan.delete, trees | old_trees):
        with suppress(FileNotFoundError):
            os.unlink(_trash_name(ws, oid))
    _remove_empty(ws.cache.trash)


def _first(oids: Collection[ObjectId], trees: set[ObjectId]) -> list[ObjectId]:
    return [*(oid for oid in oids if oid in trees), *(oid for oid in oids if oid not in trees)]


def _trash_name(ws: Workspace, oid: ObjectId) -> Path:
    return ws.cache.trash / oid[:2] / oid[2:]


def _begins_as_tree(ws: Workspace, oid: ObjectId) -> bool:
    with open(_trash_name(ws, oid), "rb") as stream:
        return stream.read(13) == b"gitmlog-tree "


def _to_trash(ws: Workspace, oid: ObjectId, now: float) -> None:
    """The time of the move is the file's own: set first, so that a kill in between cannot shorten the grace."""
    name, trash = ws.cache.name_of(oid), _trash_name(ws, oid)
    os.utime(name, (now, now))
    trash.parent.mkdir(parents=True, exist_ok=True)
    os.rename(name, trash)


def _remove_empty(trash: Path) -> None:
    for folder in trash.iterdir() if trash.is_dir() else ():
        with suppress(OSError):
            folder.rmdir()
    with suppress(OSError):
        trash.rmdir()


def _clean(ws: Workspace) -> int:
    folders = [ws.cache.root / "tmp", *(folder / "gitmlog" / "tmp" for folder in worktree_gitdirs(ws.git))]
    return sum(clean_sessions(folder) for folder in folders)
