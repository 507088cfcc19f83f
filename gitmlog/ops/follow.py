"""The files follow their metafiles after git moved those: a branch switched, merged, rebased; a metafile renamed by `git mv`.

Nothing is taken from anybody: bytes that are kept nowhere else stay, and what could not follow is named.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gitmlog.core.atomic import rename_below, storage_errors
from gitmlog.core.errors import GitmlogError, MissingDataError, RefusedError, StorageError
from gitmlog.core.paths import METAFILE_SUFFIX, display
from gitmlog.core.progress import SILENT, Progress
from gitmlog.core.sizes import plural
from gitmlog.git.merge import lstat_below
from gitmlog.git.staged import StagedChange, indexed_paths, staged_changes
from gitmlog.metafile.change import pair_by_object
from gitmlog.metafile.schema import Metafile
from gitmlog.metafile.text import parse_metafile
from gitmlog.ops.carry import CheckedOut, Plan, carry_out
from gitmlog.ops.checkout import check_place, is_saved, make_plan
from gitmlog.ops.content import is_unchanged, list_path, read_content
from gitmlog.ops.drift import content_oid
from gitmlog.ops.select import Selection
from gitmlog.repo.workspace import Workspace, check_tracked_name

METAFILES = f"*{METAFILE_SUFFIX}"
_TICK = 0.02  # seconds: no clock of a file system that notes parts of seconds is coarser


@dataclass
class Followed:
    """What became of the files.

    Attributes:
        done: the paths that were written or removed, each with how many files.
        moved: tracked paths that were renamed: new -> old.
        problems: what could not follow, each with what to do.
    """

    done: list[CheckedOut] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    problems: list[GitmlogError] = field(default_factory=list)


_Planned = tuple[Plan | None, GitmlogError | None]
_Planner = Callable[[Workspace, str, Metafile, Progress], _Planned]


def follow(
    ws: Workspace, before: Sequence[str], *, newer: bool = False, network: bool = False, progress: Progress = SILENT
) -> Followed:
    """Bring along the files of those metafiles that differ between one of the commits `before` and the index.

    Files of a metafile that is gone go when their bytes are in the cache and their metafile is in one of `before`. `newer`: also
    those of metafiles that were written since the last time. `network`: objects that the cache lacks are fetched.

    Raises:
        GitError: the index cannot be read.
        StorageError: the disk is full; what was brought along stays.
    """
    started, done = time.time(), Followed()
    with storage_errors("following"), ws.changing(progress):
        changed, gone = _changes(ws, before, newer)
        wanted = {path: metafile for path in changed if (metafile := metafile_now(ws, path, done)) is not None}
        leaving = leaving_paths(ws, gone, done)
        move_files(ws, wanted, leaving, done)
        if network:
            _fetch(ws, wanted, done, progress)
        for path, metafile in leaving.items():
            _attempt(done, ws, _withdrawal, path, metafile, progress)
        for path, metafile in wanted.items():
            _attempt(done, ws, _arrival, path, metafile, progress)
        _mark(ws, started)
    return done


def _changes(ws: Workspace, before: Sequence[str], newer: bool) -> tuple[list[str], list[StagedChange]]:
    """The tracked paths whose metafiles changed, and the metafiles that are gone."""
    found = [each for commit in before for each in staged_changes(ws.git, base=commit, patterns=[METAFILES])]
    names = [each.path for each in found if not each.is_gone] + (_newer(ws, indexed_paths(ws.git, METAFILES)) if newer else [])
    gone = {each.path: each for each in found if each.is_gone and _has_left(ws, each.path)}
    return [name.removesuffix(METAFILE_SUFFIX) for name in dict.fromkeys(names)], list(gone.values())


def _has_left(ws: Workspace, name: str) -> bool:
    """Whether git took the metafile away: one that HEAD has, and the index not, the user has untracked; its file is his."""
    return not os.path.lexists(ws.root / name) and (ws.git.is_unborn or ws.git.file_at("HEAD", name) is None)


def _newer(ws: Workspace, names: Iterable[str]) -> list[str]:
    try:
        since = os.stat(_stamp(ws)).st_mtime_ns
    except FileNotFoundError:
        since = 0
    found = []
    for name in names:
        with suppress(FileNotFoundError, NotADirectoryError):
            if os.lstat(ws.root / name).st_mtime_ns >= since:
                found.append(name)
    return found


def _stamp(ws: Workspace) -> Path:
    """Its time says when files were last brought along; the hooks look at it before they start Python."""
    return ws.git.gitdir / "gitmlog" / "followed"


def _mark(ws: Workspace, started: float) -> None:
    stamp = _stamp(ws)
    stamp.touch()
    os.utime(stamp, (started - _TICK, started - _TICK))


def metafile_now(ws: Workspace, path: str, done: Followed) -> Metafile | None:
    """What the working tree's metafile says; None where there is none, as outside of a sparse checkout."""
    try:
        return ws.metafile(path) if ws.metafile_text(path) is not None else None
    except GitmlogError as error:
        done.problems.append(error)
        return None


def leaving_paths(ws: Workspace, gone: Sequence[StagedChange], done: Followed) -> dict[str, Metafile]:
    """The tracked paths that have no metafile any more, with what it said."""
    found = {}
    for each in gone:
        path = each.path.removesuffix(METAFILE_SUFFIX)
        try:
            check_tracked_name(path)
            if is_there(ws, path) and not ws.git.is_tracked(path):
                found[path] = parse_metafile(ws.git.blob_of(each.old), each.path)
        except GitmlogError as error:
            done.problems.append(error)
    return found


def move_files(
    ws: Workspace, wanted: Mapping[str, Metafile], leaving: dict[str, Metafile], done: Followed, *, changed: bool = False
) -> None:
    """A metafile that was renamed takes its file along: nothing is copied, and nothing is in the way.

    A file that is not what its metafile says stays, but with `changed`.
    """
    gone = {path: metafile.oid for path, metafile in leaving.items()}
    for path, old in pair_by_object(gone, {path: metafile.oid for path, metafile in wanted.items()}).items():
        if is_there(ws, path) or not is_there(ws, old) or not (changed or is_as_said(ws, old, leaving[old])):
            continue
        try:
            rename_below(ws.root, tuple(old.split("/")), tuple(path.split("/")))
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            continue  # it is written anew from the cache
        except GitmlogError as error:
            done.problems.append(error)
            continue
        ws.state.forget(old)
        done.moved[path] = old
        del leaving[old]


def is_there(ws: Workspace, path: str) -> bool:
    """Whether something lies at `path`; what only a linked folder leads to does not."""
    return lstat_below(ws.root, path) is not None


def is_as_said(ws: Workspace, path: str, metafile: Metafile) -> bool:
    """Whether the file or directory is what `metafile` says, all of it."""
    listing = list_path(ws, path)
    if listing is None or listing.odd:
        return False
    return is_unchanged(ws, path, metafile.oid, listing) or content_oid(read_content(ws, path, listing).entries) == metafile.oid


def _fetch(ws: Workspace, wanted: dict[str, Metafile], done: Followed, progress: Progress) -> None:
    from gitmlog.ops.sync import fetch

    if wanted:
        try:
            fetch(ws, sorted(wanted), ws.root, progress=progress)
        except GitmlogError as error:
            done.problems.append(error)


def _attempt(done: Followed, ws: Workspace, plan_of: _Planner, path: str, metafile: Metafile, progress: Progress) -> None:
    """One path that cannot follow keeps none of the others."""
    try:
        plan, problem = plan_of(ws, path, metafile, progress)
        if problem is not None:
            done.problems.append(problem)
        if plan is not None and (plan.write or plan.remove):
            done.done.append(carry_out(ws, plan, False, progress))
    except GitmlogError as error:
        done.problems.append(error)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        hint = "look at that path's owner, permissions and file system; then gitmlog checkout"
        done.problems.append(StorageError(f"{display(path)} did not follow: {error.strerror}", hint=hint))


def _arrival(ws: Workspace, path: str, metafile: Metafile, progress: Progress) -> _Planned:
    """What the cache has is written; the rest is named."""
    plan = make_plan(ws, Selection(path), metafile, progress)
    if plan is None:
        return None, None
    if plan.unsaved:
        raise _in_the_way(path, [plan.full(name) for name in plan.unsaved], metafile)
    absent = {entry.path for entry in plan.write if not ws.cache.has(entry.oid)}
    plan.write = [entry for entry in plan.write if entry.path not in absent]
    check_place(ws, plan)
    return plan, _absent(path, len(absent), metafile) if absent else None


def _in_the_way(path: str, unsaved: Sequence[str], metafile: Metafile) -> RefusedError:
    name, first = display(path), display(unsaved[0])
    several = f" and {len(unsaved) - 1} more" if len(unsaved) > 1 else ""
    keep = f"gitmlog add {first}, then gitmlog checkout {name}" if metafile.is_directory else f"gitmlog add {name}"
    hint = f"to give them up for this commit's: gitmlog checkout --force {name}; to keep them in the next version: {keep}"
    message = f"{name} did not follow: the bytes of {first}{several} are kept nowhere else"
    return RefusedError(message, kind="would-overwrite", hint=hint)


def _absent(path: str, count: int, metafile: Metafile) -> MissingDataError:
    several = f"{plural(count, 'file')} of" if metafile.is_directory else "the bytes of"
    verb = "is" if metafile.is_directory and count == 1 else "are"
    return MissingDataError(f"{several} {display(path)} {verb} not in the cache", hint=f"gitmlog pull {display(path)}")


def _withdrawal(ws: Workspace, path: str, metafile: Metafile, progress: Progress) -> _Planned:
    """Files whose bytes are in the cache go, as git takes away its own; others stay."""
    listing = list_path(ws, path)
    if listing is None or listing.odd:
        return None, None
    current = read_content(ws, path, listing, progress=progress)
    plan = Plan(Selection(path), metafile, {}, current, leaving=True)
    for name, entry in current.entries.items():
        (plan.remove if is_saved(ws, entry) else plan.keep).append(name)
    return plan, None
