"""Carrying a checkout out: files written and removed below the working tree, durably, through no link."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from gitmlog.core.atomic import process_umask, sync_filesystem, sync_path
from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import RefusedError
from gitmlog.core.paths import display, link_problem
from gitmlog.core.progress import Progress, Task
from gitmlog.metafile.schema import Metafile
from gitmlog.metafile.tree import TreeEntry
from gitmlog.ops.content import Content, Entries
from gitmlog.ops.select import Selection
from gitmlog.repo.workspace import Workspace
from gitmlog.store.cache import FEW
from gitmlog.store.materialize import Target, target
from gitmlog.store.state import matches, row_of


@dataclass(frozen=True)
class CheckedOut:
    """What was done for one tracked path.

    Attributes:
        path: the tracked path.
        written: files written or replaced.
        removed: files removed, since the version does not have them.
        kept: files that the version does not have and the cache does not either: left alone.
    """

    path: str
    written: int = 0
    removed: int = 0
    kept: tuple[str, ...] = ()


@dataclass
class Plan:
    """What is to be done for one tracked path.

    Attributes:
        selection: the path, and which part of it.
        metafile: what is wanted.
        wanted, current: what it says that the path holds, and what lies there.
        write, remove: what is written, and removed since the version does not have it.
        keep: what the version does not have and the cache does not either.
        unsaved: what would be lost: bytes that are kept nowhere else.
        leaving: the path is not tracked any more: its folder goes when it is empty.
    """

    selection: Selection
    metafile: Metafile
    wanted: Entries
    current: Content
    write: list[TreeEntry] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    keep: list[str] = field(default_factory=list)
    unsaved: list[str] = field(default_factory=list)
    leaving: bool = False

    @property
    def path(self) -> str:
        """The tracked path."""
        return self.selection.path

    def full(self, name: str) -> str:
        """An entry's path from the top of the working tree."""
        return f"{self.path}/{name}" if name else self.path


def carry_out(ws: Workspace, plan: Plan, force: bool, progress: Progress) -> CheckedOut:
    """Write and remove what `plan` says; nothing that was written since it was made is replaced, unless by `force`.

    Raises:
        RefusedError: kinds `would-overwrite`, `link-outside`, `link-in-path`.
        DataError: kind `corrupt`.
    """
    removed = plan.remove + (plan.keep + [name for name in plan.unsaved if name not in plan.wanted] if force else [])
    total = sum(entry.size for entry in plan.write)
    with ws.temporary() as temporary, target(ws.root, temporary, ws.links, process_umask()) as folder:
        _remove(folder, plan, removed, force)
        _clear_way(folder, plan)
        with progress.task(f"checking out {plan.path}", total, "bytes") as task:
            written = {entry.path: _write(ws, folder, plan, entry, force, task) for entry in plan.write}
        folder.guard = None
        if plan.metafile.is_directory and not plan.leaving:
            folder.folder(tuple(plan.path.split("/")))
    if written or removed:
        _make_durable(ws, [plan.full(name) for name in written])
    if plan.leaving:
        ws.state.forget(plan.path)
    else:
        _record(ws, plan, written, removed)
    return CheckedOut(plan.path, len(written), len(removed), () if force else tuple(sorted(plan.keep)))


def _check_unmoved(plan: Plan, path: str, folder: int, name: str) -> None:
    """Refuse to replace or remove a file that was written since the plan looked at it: a checkout may take minutes."""
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    linked = path in plan.current.listing.objects and stat.S_ISLNK(info.st_mode)
    if linked or stat.S_ISDIR(info.st_mode) or matches(plan.current.rows.get(path), info):
        return
    full = display(plan.full(path))
    hint = f"keep it: gitmlog add {full}; give it up: --force; what was written before it stays"
    raise RefusedError(f"{full} was written while the checkout ran", kind="would-overwrite", hint=hint)


def _remove(folder: Target, plan: Plan, names: list[str], force: bool) -> None:
    emptied: set[tuple[str, ...]] = set()
    top = plan.path.count("/") + (1 if plan.leaving else 2)
    for name in names:
        parts = tuple(plan.full(name).split("/"))
        parent = folder.folder(parts[:-1])
        if not force:
            _check_unmoved(plan, name, parent, parts[-1])
        with suppress(FileNotFoundError):
            os.unlink(parts[-1], dir_fd=parent)
        emptied.update(tuple(parts[:depth]) for depth in range(top, len(parts)))
    folder.close()
    for parts in sorted(emptied, key=len, reverse=True):
        with suppress(OSError):  # not empty: something that the version does not know is still in it
            os.rmdir(parts[-1], dir_fd=folder.folder(parts[:-1]))


def _clear_way(folder: Target, plan: Plan) -> None:
    """An empty folder may lie where a file is wanted; anything else there was found by the plan."""
    for name in {entry.path for entry in plan.write} & {"", *plan.current.listing.folders}:
        parts = tuple(plan.full(name).split("/"))
        parent = folder.folder(parts[:-1])
        with suppress(OSError):
            for _, folders, _, fd in os.fwalk(parts[-1], topdown=False, dir_fd=parent):
                for below in folders:
                    with suppress(OSError):
                        os.rmdir(below, dir_fd=fd)
            os.rmdir(parts[-1], dir_fd=parent)


def _write(ws: Workspace, folder: Target, plan: Plan, entry: TreeEntry, force: bool, task: Task) -> os.stat_result:
    full = plan.full(entry.path)
    folder.guard = None if force else partial(_check_unmoved, plan, entry.path)
    if entry.kind == "l":
        info = _write_link(ws, folder, full, entry)
    else:
        info = folder.write(ws.cache, full, entry.oid, entry.size, executable=entry.kind == "x")
    task.advance(entry.size)
    return info


def _write_link(ws: Workspace, folder: Target, full: str, entry: TreeEntry) -> os.stat_result:
    text = os.fsdecode(ws.cache.read(entry.oid))
    if problem := link_problem(entry.path, text):
        hint = "the tree is hostile or damaged: nothing was written there; ask who committed it"
        raise RefusedError(f"{display(full)} -> {display(text)}: {problem}", kind="link-outside", hint=hint)
    folder.write_link(full, text)
    parts = tuple(full.split("/"))
    return os.stat(parts[-1], dir_fd=folder.folder(parts[:-1]), follow_symlinks=False)


def _make_durable(ws: Workspace, written: list[str]) -> None:
    if len(written) > FEW:
        sync_filesystem(ws.root)
        return
    for path in written:
        with suppress(OSError):  # a link to nowhere has nothing to sync but its folder
            sync_path(ws.root / path)
        sync_path((ws.root / path).parent)


def _record(ws: Workspace, plan: Plan, written: dict[str, os.stat_result], removed: list[str]) -> None:
    gone = set(removed)
    rows = {name: row for name, row in plan.current.rows.items() if name not in gone}
    rows |= {name: row_of(info, plan.wanted[name].oid) for name, info in written.items()}
    entries = {name: entry for name, entry in plan.current.entries.items() if name not in gone}
    entries |= {name: plan.wanted[name] for name in written}
    whole: ObjectId | None = plan.metafile.oid if entries == plan.wanted else None
    ws.state.record(plan.path, rows, time.time_ns(), whole=whole)
