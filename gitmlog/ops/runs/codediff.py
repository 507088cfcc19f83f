"""What differs between the code of two runs, and between a run's code and the commit that it started from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gitmlog.core.paths import metafile_of
from gitmlog.git.treediff import FileChange, FilePatch, LeftOut, changes, parent_of, patches
from gitmlog.ops.ignore import ignore_file, ignore_line
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.record import FOLDER

if TYPE_CHECKING:
    from gitmlog.ops.runs.find import Found


def code_patches(ws: Workspace, old: Found, new: Found, paths: Sequence[str] = ()) -> Iterator[FilePatch]:
    """The code of `new` against that of `old`, file by file; of these paths (from the top) only, when there are any.

    The trees of the two commits are compared, less `.gitmlog/runs` and the metafiles of outputs: the snapshot alone is
    reachable from nothing, and git may have removed it.

    Raises:
        NotFoundError: kind `no-revision`.
        GitError: kind `damaged-repository`.
    """
    return patches(ws.git, old.commit, new.commit, _no_code(old, new), paths)


def code_changes(ws: Workspace, old: Found, new: Found) -> list[FileChange]:
    """The files of the code that differ. Raises as `code_patches`."""
    if old.record.code.tree == new.record.code.tree:
        return []
    found = changes(ws.git, old.commit, new.commit, _no_code(old, new))
    return _without_ignores(ws, found, old.commit, new.commit, {*old.record.outputs, *new.record.outputs})


def uncommitted(ws: Workspace, found: Found) -> list[FileChange]:
    """The files of a run that were not as in the commit it started from, or not in it. Raises as `code_patches`."""
    code = found.record.code
    if not code.changed and not code.untracked:
        return []
    parent = parent_of(ws.git, found.commit)
    found_changes = changes(ws.git, parent, found.commit, _no_code(found))
    return _without_ignores(ws, found_changes, parent, found.commit, set(found.record.outputs))


def _without_ignores(ws: Workspace, found: list[FileChange], old: str | None, new: str, outputs: set[str]) -> list[FileChange]:
    """Less the .gitignore files that differ only in the lines of outputs: those were written by us."""

    def is_ours(change: FileChange) -> bool:
        if change.path.rpartition("/")[2] != ".gitignore":
            return False
        before, after = (_lines(ws, commit, change.path) for commit in (old, new))
        return before ^ after <= {ignore_line(path) for path in outputs if ignore_file(path) == change.path}

    return [change for change in found if not is_ours(change)]


def _lines(ws: Workspace, commit: str | None, path: str) -> set[bytes]:
    text = ws.git.file_at(commit, path) if commit else None
    return set((text or b"").splitlines())


def _no_code(*runs: Found) -> LeftOut:
    outputs = {name for run in runs for path in run.record.outputs for name in (path, metafile_of(path))}
    return lambda path: path.startswith(f"{FOLDER}/") or path in outputs
