"""Writing tracked files into the working tree, never over bytes that are kept nowhere else."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

from gitmlog.core.atomic import process_umask, storage_errors, sync_filesystem, sync_path
from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import MissingDataError, NotFoundError, RefusedError, UsageError
from gitmlog.core.paths import display, link_problem, metafile_of
from gitmlog.core.progress import SILENT, Progress, Task
from gitmlog.git.staging import stage
from gitmlog.metafile.schema import DirectoryFacts, Metafile
from gitmlog.metafile.text import format_metafile, parse_metafile
from gitmlog.metafile.tree import TreeEntry, format_tree
from gitmlog.ops.content import Content, Entries, is_unchanged, list_path, read_content, wanted_entries
from gitmlog.ops.ignore import IgnoreEdits
from gitmlog.ops.revision import as_revision
from gitmlog.ops.select import Selection, left_out_error, select
from gitmlog.repo.workspace import Workspace, check_tracked_name
from gitmlog.store.cache import FEW
from gitmlog.store.materialize import Target, target
from gitmlog.store.state import matches, row_of
from gitmlog.store.walk import Listing


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
class _Plan:
    selection: Selection
    metafile: Metafile
    wanted: Entries
    current: Content
    write: list[TreeEntry] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    keep: list[str] = field(default_factory=list)
    unsaved: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        return self.selection.path

    def full(self, name: str) -> str:
        return f"{self.path}/{name}" if name else self.path


def checkout(
    ws: Workspace,
    paths: Sequence[str],
    base: Path,
    *,
    revision: str | None = None,
    side: Literal["ours", "theirs"] | None = None,
    force: bool = False,
    progress: Progress = SILENT,
) -> list[CheckedOut]:
    """Make the working tree hold what the metafiles say, or, with `revision`, what they said there (and stage those).

    `side` takes that side of a merge whose metafiles are in conflict, and so resolves it.

    Raises:
        RefusedError: kind `would-overwrite`: bytes that are kept nowhere else would be lost; nothing was changed.
        MissingDataError: an object is not in the cache; nothing was changed.
        NotFoundError: kinds `not-tracked`, `no-revision`, `left-out`.
        DataError: kinds `corrupt`, `bad-tree`, `bad-metafile`.
    """
    with storage_errors("checking out"), ws.changing(progress):
        if side is not None:
            chosen = _in_conflict(ws, paths, base, side)
        elif revision is None:
            chosen = [(selection, ws.metafile(selection.path)) for selection in select(ws, paths, base)]
        else:
            chosen = _at_revision(ws, paths, base, revision)
        plans = [plan for selection, metafile in chosen if (plan := _plan(ws, selection, metafile, progress)) is not None]
        _check(ws, plans, force, revision)
        done = {plan.path: _carry_out(ws, plan, force, progress) for plan in plans}
        if revision is not None or side is not None:
            _adopt_metafiles(ws, chosen)
    return [done.get(selection.path, CheckedOut(selection.path)) for selection, _ in chosen]


def _at_revision(ws: Workspace, paths: Sequence[str], base: Path, revision: str) -> list[tuple[Selection, Metafile]]:
    if not paths:
        raise UsageError("--rev needs the paths to take from that revision", hint="gitmlog checkout --rev REV PATH…")
    texts = ws.git.metafiles_at(as_revision(ws, revision))
    tracked = [name.removesuffix(".gitmlog") for name in texts]
    chosen = []
    for selection in select(ws, paths, base, tracked):
        check_tracked_name(selection.path)
        if ws.is_left_out(selection.path):
            raise left_out_error(selection.path)
        name = metafile_of(selection.path)
        metafile = parse_metafile(texts[name], f"{revision}:{name}")
        chosen.append((selection, _blend(ws, selection, metafile)))
    if not chosen:
        raise NotFoundError(f"nothing is tracked in {revision}", kind="not-tracked")
    return chosen


def _in_conflict(
    ws: Workspace, paths: Sequence[str], base: Path, side: Literal["ours", "theirs"]
) -> list[tuple[Selection, Metafile]]:
    texts = ws.git.conflict_metafiles(side)
    if not texts:
        raise NotFoundError(
            "no metafile is in conflict", kind="no-conflict", hint="`git status` shows whether a merge is under way"
        )
    chosen = []
    for selection in select(ws, paths, base, [name.removesuffix(".gitmlog") for name in texts]):
        check_tracked_name(selection.path)
        name = metafile_of(selection.path)
        chosen.append((Selection(selection.path), parse_metafile(texts[name], f"{side} of {name}")))
    return chosen


def _blend(ws: Workspace, selection: Selection, old: Metafile) -> Metafile:
    """Part of a directory at a revision: that part, in the tree that the working tree's metafile names."""
    if not selection.parts or ws.metafile_text(selection.path) is None:
        return old
    now = ws.metafile(selection.path)
    if not now.is_directory or not old.is_directory:
        return old
    entries = {name: entry for name, entry in wanted_entries(ws.cache, now).items() if not selection.takes(name)}
    entries |= {name: entry for name, entry in wanted_entries(ws.cache, old).items() if selection.takes(name)}
    with ws.cache.writing() as writer:
        oid = writer.put(format_tree(entries.values()))
    size = sum(entry.size for entry in entries.values())
    return replace(now, facts=DirectoryFacts(PurePosixPath(selection.path).name, oid, size, len(entries)))


def _plan(ws: Workspace, selection: Selection, metafile: Metafile, progress: Progress) -> _Plan | None:
    listing = list_path(ws, selection.path)
    if listing is not None and is_unchanged(ws, selection.path, metafile.oid, listing):
        _check_parts(selection, (*listing.files, *listing.links))
        return None
    current = read_content(ws, selection.path, _without_odd(selection, listing), progress=progress)
    plan = _Plan(selection, metafile, wanted_entries(ws.cache, metafile), current)
    for name, entry in plan.wanted.items():
        if selection.takes(name) and current.entries.get(name) != entry:
            plan.write.append(entry)
            if name in current.entries and not _is_saved(ws, current.entries[name]):
                plan.unsaved.append(name)
    _check_parts(selection, (*plan.wanted, *current.entries))
    for name in current.entries.keys() - plan.wanted.keys():
        if selection.takes(name):
            (plan.remove if _is_saved(ws, current.entries[name]) else plan.keep).append(name)
    _find_clashes(plan)
    return plan


def _check_parts(selection: Selection, names: Sequence[str]) -> None:
    if selection.parts and not any(map(selection.takes, names)):
        parts = " or ".join(display(part) for part in selection.parts)
        raise NotFoundError(f"nothing in {display(selection.path)} matches {parts}", kind="no-path", hint="check the pattern")


def _without_odd(selection: Selection, listing: Listing | None) -> Listing:
    if listing is None:
        return Listing()
    if "" in listing.odd:
        hint = "move it away, then run the command again"
        raise RefusedError(f"{display(selection.path)} is {listing.odd['']}", kind="not-a-file", hint=hint)
    return listing


def _is_saved(ws: Workspace, entry: TreeEntry) -> bool:
    return ws.cache.size(entry.oid) == entry.size


def _find_clashes(plan: _Plan) -> None:
    """An unsaved file where a folder is wanted, or below where a file is wanted, is in the way."""
    folders = {"/".join(name.split("/")[:depth]) for name in plan.wanted for depth in range(1, name.count("/") + 1)} | {""}
    in_way = [name for name in plan.keep if (name in folders and plan.wanted.keys() != {""}) or _is_below(name, plan.wanted)]
    plan.unsaved += in_way
    plan.keep = [name for name in plan.keep if name not in in_way]


def _is_below(name: str, wanted: Entries) -> bool:
    return "" in wanted or any(parent.as_posix() in wanted for parent in PurePosixPath(name).parents)


def _check(ws: Workspace, plans: list[_Plan], force: bool, revision: str | None) -> None:
    unsaved = [plan.full(name) for plan in plans for name in plan.unsaved]
    if unsaved and not force:
        shown = ", ".join(display(name) for name in unsaved[:5]) + (f" and {len(unsaved) - 5} more" if len(unsaved) > 5 else "")
        hint = f"keep them: gitmlog add {display(unsaved[0])} (or copy them away); give them up: --force"
        raise RefusedError(f"these bytes are kept nowhere else and would be lost: {shown}", kind="would-overwrite", hint=hint)
    for plan in plans:
        absent = [entry for entry in plan.write if not ws.cache.has(entry.oid)]
        if absent:
            several = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
            rev = f"--rev {revision} " if revision else ""
            hint = f"gitmlog pull {rev}{display(plan.path)}"
            raise MissingDataError(f"the bytes of {display(plan.full(absent[0].path))}{several} are not in the cache", hint=hint)
        _check_links(plan)
        _check_case(ws, plan)


def _check_links(plan: _Plan) -> None:
    for entry in plan.write:
        if entry.kind == "l" and not entry.path:
            raise RefusedError(f"{display(plan.path)} is a link in its metafile", kind="link-outside")


def _check_case(ws: Workspace, plan: _Plan) -> None:
    """Names that differ only in case need a file system that tells them apart."""
    folded: dict[str, str] = {}
    clash = next((name for name in plan.wanted if folded.setdefault(name.casefold(), name) != name), None)
    if clash is not None and (ws.git.gitdir / "HEAD").exists() and (ws.git.gitdir / "hEAD").exists():
        hint = "check it out on a file system that tells upper from lower case, or rename one of them there"
        names = f"{display(folded[clash.casefold()])} and {display(clash)}"
        raise RefusedError(f"{names} in {display(plan.path)} are one file on this file system", kind="case-collision", hint=hint)


def _carry_out(ws: Workspace, plan: _Plan, force: bool, progress: Progress) -> CheckedOut:
    removed = plan.remove + (plan.keep + [name for name in plan.unsaved if name not in plan.wanted] if force else [])
    total = sum(entry.size for entry in plan.write)
    with ws.temporary() as temporary, target(ws.root, temporary, ws.links, process_umask()) as folder:
        _remove(folder, plan, removed, force)
        _clear_way(folder, plan)
        with progress.task(f"checking out {plan.path}", total, "bytes") as task:
            written = {entry.path: _write(ws, folder, plan, entry, force, task) for entry in plan.write}
        folder.guard = None
        if plan.metafile.is_directory:
            folder.folder(tuple(plan.path.split("/")))
    if written or removed:
        _make_durable(ws, [plan.full(name) for name in written])
    _record(ws, plan, written, removed)
    return CheckedOut(plan.path, len(written), len(removed), () if force else tuple(sorted(plan.keep)))


def _check_unmoved(plan: _Plan, path: str, folder: int, name: str) -> None:
    """Refuse to replace or remove a file that was written since the plan looked at it: a checkout may take minutes."""
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if path in plan.current.listing.objects or stat.S_ISDIR(info.st_mode) or matches(plan.current.rows.get(path), info):
        return
    full = display(plan.full(path))
    hint = f"keep it: gitmlog add {full}; give it up: --force; what was written before it stays"
    raise RefusedError(f"{full} was written while the checkout ran", kind="would-overwrite", hint=hint)


def _remove(folder: Target, plan: _Plan, names: list[str], force: bool) -> None:
    emptied: set[tuple[str, ...]] = set()
    for name in names:
        parts = tuple(plan.full(name).split("/"))
        parent = folder.folder(parts[:-1])
        if not force:
            _check_unmoved(plan, name, parent, parts[-1])
        with suppress(FileNotFoundError):
            os.unlink(parts[-1], dir_fd=parent)
        emptied.update(tuple(parts[:depth]) for depth in range(plan.path.count("/") + 2, len(parts)))
    folder.close()
    for parts in sorted(emptied, key=len, reverse=True):
        with suppress(OSError):  # not empty: something that the version does not know is still in it
            os.rmdir(parts[-1], dir_fd=folder.folder(parts[:-1]))


def _clear_way(folder: Target, plan: _Plan) -> None:
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


def _write(ws: Workspace, folder: Target, plan: _Plan, entry: TreeEntry, force: bool, task: Task) -> os.stat_result:
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


def _record(ws: Workspace, plan: _Plan, written: dict[str, os.stat_result], removed: list[str]) -> None:
    gone = set(removed)
    rows = {name: row for name, row in plan.current.rows.items() if name not in gone}
    rows |= {name: row_of(info, plan.wanted[name].oid) for name, info in written.items()}
    entries = {name: entry for name, entry in plan.current.entries.items() if name not in gone}
    entries |= {name: plan.wanted[name] for name in written}
    whole: ObjectId | None = plan.metafile.oid if entries == plan.wanted else None
    ws.state.record(plan.path, rows, time.time_ns(), whole=whole)


def _adopt_metafiles(ws: Workspace, chosen: list[tuple[Selection, Metafile]]) -> None:
    edits = IgnoreEdits(ws)
    texts = {metafile_of(selection.path): format_metafile(metafile) for selection, metafile in chosen}
    for name, text in texts.items():
        if ws.metafile_text(name.removesuffix(".gitmlog")) != text:
            ws.write(name, text)
        edits.ignore(name.removesuffix(".gitmlog"))
    stage(ws.git, edits.write() | {name: text for name, text in texts.items() if ws.git.index_blob(name) != text})
