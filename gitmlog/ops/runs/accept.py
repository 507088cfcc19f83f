"""Bringing a run into the current branch, when nothing that is not saved would be lost."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from gitmlog.core.atomic import storage_errors
from gitmlog.core.errors import GitmlogError, MissingDataError, RefusedError
from gitmlog.core.paths import METAFILE_SUFFIX, component_problem, display, metafile_of
from gitmlog.core.progress import SILENT, Progress
from gitmlog.git.merge import (
    SUBMODULE,
    Change,
    Entry,
    How,
    check_idle,
    commit_merge,
    head_ref,
    index_entry,
    is_as,
    is_filtered,
    lstat_below,
    merge_in_memory,
    tree_changes,
)
from gitmlog.git.refs import RefChange, change_refs
from gitmlog.git.staging import stage_entries
from gitmlog.git.worktree import remove_empty_above, remove_file, write_file
from gitmlog.ops.checkout import checkout
from gitmlog.ops.runs.find import Found, find
from gitmlog.ops.runs.products import Products
from gitmlog.repo.workspace import Workspace


@dataclass(frozen=True)
class Accepted:
    """What accepting a run did.

    Attributes:
        run: its id.
        how: the branch had it already, was moved to it, or got a merge commit.
        branch: the branch, or HEAD when it is detached.
        commit: what that names now.
        before: what it named before; "" on an unborn branch.
        files: the files that were written or removed.
        outputs: the tracked paths whose bytes were checked.
        notes: what was left to do.
    """

    run: str
    how: How
    branch: str
    commit: str
    before: str
    files: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Plan:
    """Paths to write, to remove, to put into the index; why not."""

    index: list[Change] = field(default_factory=list)
    write: list[Change] = field(default_factory=list)
    remove: list[Change] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    unsaved: list[str] = field(default_factory=list)
    tracked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def accept(ws: Workspace, spec: str, *, outputs: bool = True, progress: Progress = SILENT) -> Accepted:
    """Fast-forward the branch to the run `spec`, or merge it; then check out what it wrote, unless not `outputs`.

    A file that is neither as HEAD has it nor as the run has it stops all, and nothing was changed. Killed half-way: run it again.

    Raises:
        NotFoundError: kind `no-run`.
        RefusedError: kinds `would-overwrite`, `merge-conflict`, `run-live`, `bad-name`, `link-in-path`.
        GitError: kinds `under-way`, `index-locked`, `ref-changed`.
    """
    found = find(ws, spec)
    refuse_live(found, "accepted")
    with storage_errors("accepting a run"), ws.changing(progress):
        done = _accept(ws, found, progress)
    done = replace(done, notes=(*_doubts(found), *done.notes))
    return _check_out(ws, found, done, progress) if outputs else replace(done, outputs=())


def _doubts(found: Found) -> Iterator[str]:
    """What somebody who accepts the run should know of it."""
    record = found.record
    if record.status != "FINISHED":
        yield f"the run {'FAILED' if record.status == 'FAILED' else 'was KILLED'}{f': {record.error}' if record.error else ''}"
    yield from (f"the run's warning: {warning}" for warning in record.warnings)


def refuse_live(found: Found, verb: str) -> None:
    """Raise RefusedError, kind `run-live`, for a run that is not recorded yet."""
    if found.live:
        hint = "wait for its end; if its process is gone: `gitmlog runs recover`"
        raise RefusedError(f"run {found.record.id} is under way and cannot be {verb} yet", kind="run-live", hint=hint)


def _accept(ws: Workspace, found: Found, progress: Progress) -> Accepted:
    repo, commit = ws.git, str(found.commit)
    check_idle(repo)
    repo.refresh_index()
    ref, head = head_ref(repo)
    results = {name for path in found.record.outputs for name in (path, metafile_of(path))}
    merged = merge_in_memory(repo, head, commit, found.ref.removeprefix("refs/tags/"), results)
    done = Accepted(found.record.id, merged.how, ref.removeprefix("refs/heads/"), head or commit, head)
    if merged.how == "already":
        return done
    plan = _plan(ws, tree_changes(repo, merged.old_tree, merged.tree))
    _check(plan)
    files = _carry_out(ws, plan, progress)
    if merged.how == "merge":
        commit = commit_merge(repo, merged.tree, (head, commit), f"Merge run {found.record.name} ({found.record.id})")
    change_refs(repo, [RefChange(ref, commit, head or None)], f"gitmlog runs accept {found.record.id}: {merged.how}")
    return replace(done, commit=commit, files=files, outputs=tuple(plan.tracked), notes=tuple(plan.notes))


def _plan(ws: Workspace, changes: Sequence[Change]) -> _Plan:
    plan, known = _Plan(), Products.load(ws.home)
    for change in changes:
        _check_name(change)
        if change.new is not None and change.path.endswith(METAFILE_SUFFIX):
            plan.tracked.append(change.path.removesuffix(METAFILE_SUFFIX))
        if not _index_allows(ws, change, plan):
            continue
        file = replace(change, old=_as_file(change.old), new=_as_file(change.new))
        if SUBMODULE in (mode.mode for mode in (change.old, change.new) if mode is not None):
            plan.notes.append(f"submodule {display(change.path)}: only the index was moved (`git submodule update`)")
        if file.old != file.new:
            _plan_file(ws, file, plan, known)
    gone = {change.path for change in changes if change.new is None or change.new.mode == SUBMODULE}
    for change in plan.write:
        plan.unsaved += _in_the_way(ws, change.path, gone)
    return plan


def _as_file(entry: Entry | None) -> Entry | None:
    return None if entry is None or entry.mode == SUBMODULE else entry


def _check_name(change: Change) -> None:
    """git would refuse some of these, too: a commit by anybody can hold `.git/hooks/post-checkout`."""
    for component in change.path.split("/") if change.new is not None else ():
        if problem := component_problem(component):
            hint = "nothing was changed; look at the run: `git show --stat` its commit"
            raise RefusedError(f"{display(change.path)} in the run cannot be written: {problem}", kind="bad-name", hint=hint)


def _index_allows(ws: Workspace, change: Change, plan: _Plan) -> bool:
    staged = index_entry(ws.git, change.path)
    if staged not in (change.old, change.new):
        plan.unsaved.append(change.path)
        return False
    if staged != change.new:
        plan.index.append(change)
    return True


def _plan_file(ws: Workspace, change: Change, plan: _Plan, known: Products) -> None:
    """Where there is no file, though HEAD has one, there is nothing to lose; nor where a run's commit has what lies there."""
    if ws.git.is_left_out(change.path):  # as git's merge: it stays out, the index alone moves
        return
    if is_as(ws.git, change.path, change.new):
        plan.gone += [change.path] if change.new is None else []
        return
    saved = known.is_kept(ws, change.path)
    if not saved and not is_as(ws.git, change.path, change.old) and not is_as(ws.git, change.path, None):
        plan.unsaved.append(change.path)
    elif change.new is None:
        plan.remove.append(change)
    else:
        plan.write.append(change)


def _in_the_way(ws: Workspace, path: str, gone: set[str]) -> list[str]:
    """What stands where a folder is needed, or lies in a folder where a file is needed, and is not about to go."""
    parts = path.split("/")
    for depth in range(1, len(parts)):
        parent = "/".join(parts[:depth])
        found = lstat_below(ws.root, parent)
        if found is not None and not stat.S_ISDIR(found.st_mode):
            return [] if parent in gone else [parent]
    found = lstat_below(ws.root, path)
    if found is None or not stat.S_ISDIR(found.st_mode):
        return []
    return [name for name in _files_below(ws, path) if name not in gone]


def _files_below(ws: Workspace, path: str) -> list[str]:
    found = []
    for folder, folders, names in os.walk(ws.root / path):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        found += [os.path.relpath(os.path.join(folder, name), ws.root) for name in (*names, *links)]
    return found


def _check(plan: _Plan) -> None:
    if not plan.unsaved:
        return
    names = list(dict.fromkeys(display(path) for path in plan.unsaved))
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    hint = "commit them, or put them aside (`git stash -u`); then accept the run again. Nothing was changed"
    raise RefusedError(f"accepting the run would lose what is not committed in {shown}", kind="would-overwrite", hint=hint)


def _carry_out(ws: Workspace, plan: _Plan, progress: Progress) -> tuple[str, ...]:
    """Files before the index, so that whoever is killed in between finds files that are the run's already."""
    writes = sorted(plan.write, key=lambda change: not change.path.endswith(".gitattributes"))  # they say how others are written
    with progress.task("writing files", len(plan.remove) + len(writes)) as task, ws.temporary() as temporary:
        for change in plan.remove:
            remove_file(ws.root, change.path)
            task.advance()
        for path in plan.gone:  # whoever was killed after the last file of a folder left the folder
            remove_empty_above(ws.root, path)
        for change in writes:
            write_file(ws.git, temporary, change)
            task.advance()
    filtered = [display(change.path) for change in writes if is_filtered(ws.git, change.path)]
    if filtered:
        plan.notes.append(f"written as git keeps it, no filter was run: {', '.join(filtered[:5])}")
    ordered = sorted(plan.index, key=lambda change: change.new is not None)  # a file may give way to a folder of its name
    stage_entries(ws.git, {each.path: (each.new.mode, each.new.id) if each.new else None for each in ordered})
    return tuple(sorted(change.path for change in (*plan.remove, *writes)))


def _check_out(ws: Workspace, found: Found, done: Accepted, progress: Progress) -> Accepted:
    names = {path for path, facts in found.record.outputs.items() if facts.blake3 is not None} | set(done.outputs)
    right, notes = [], list(done.notes)
    for path in sorted(names):
        if ws.metafile_text(path) is None:
            continue
        try:
            checkout(ws, [path], ws.root, progress=progress)
            right.append(path)
        except MissingDataError:
            notes.append(f"the bytes of {display(path)} are not here: gitmlog pull {display(path)}")
        except GitmlogError as error:
            notes.append(f"{display(path)} was left as it is: {error.message}; then: gitmlog checkout {display(path)}")
    return replace(done, outputs=tuple(right), notes=tuple(notes))
