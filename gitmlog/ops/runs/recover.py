"""Closing runs whose process is dead (spec: run.md, The end)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gitmlog.core.atomic import storage_errors
from gitmlog.core.errors import DataError, GitmlogError, NotFoundError, RefusedError, StorageError
from gitmlog.core.progress import SILENT, Progress
from gitmlog.core.session import clean_sessions
from gitmlog.ops.runs.finish import Recorded, finish
from gitmlog.ops.runs.folder import RunFolder, run_folders, runs_folder
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.tags import LIVE


@dataclass(frozen=True)
class Recovery:
    """What was done.

    Attributes:
        recorded: the runs that are recorded now.
        cleaned: folders of runs that never began.
        live: ids of the runs that go on.
        failed: ids of those that could not be recorded, with the reason.
    """

    recorded: tuple[Recorded, ...] = ()
    cleaned: int = 0
    live: tuple[str, ...] = ()
    failed: tuple[tuple[str, GitmlogError], ...] = ()


def recover(ws: Workspace, ids: Sequence[str] = (), *, progress: Progress = SILENT) -> Recovery:
    """Record the runs that nobody will record any more: all, or those whose ids (or unique beginnings) are given.

    Raises:
        NotFoundError: kind `no-run`.
        RefusedError: kind `run-live`: it goes on.
    """
    folders = _chosen(ws, ids)
    recorded, live, failed, cleaned = list[Recorded](), list[str](), list[tuple[str, GitmlogError]](), 0
    with progress.task("recording runs", len(folders)) as task:
        for folder in folders:
            task.advance()
            try:
                owner = _take(folder)
            except BlockingIOError:
                live.append(folder.id)
                continue
            except FileNotFoundError:  # its own process has just recorded it
                continue
            except GitmlogError as error:
                failed.append((folder.id, error))
                continue
            try:
                if folder.is_started:
                    recorded.append(_finish(ws, folder, progress))
                else:
                    _discard(ws, folder)
                    cleaned += 1
            except GitmlogError as error:
                failed.append((folder.id, error))
            finally:
                os.close(owner)
    _sweep(ws)
    if ids and live:
        raise RefusedError(f"run {live[0]} goes on", kind="run-live", hint="end its process first (`ps`), then recover it")
    return Recovery(tuple(recorded), cleaned, tuple(live), tuple(failed))


def _take(folder: RunFolder) -> int:
    """The lock; that another user owns it is a reason like any other. Raises as `RunFolder.take`."""
    try:
        return folder.take()
    except PermissionError as error:
        hint = "its owner can recover it, or whoever may read and write it"
        raise StorageError(f"no permission for {folder.path}", kind="no-permission", hint=hint) from error


def _sweep(ws: Workspace) -> None:
    """What killed processes left beside the folders of their runs."""
    from gitmlog.git.durable import delete_ref, git_errors, refs_below

    with suppress(GitmlogError, OSError), git_errors():
        clean_sessions(ws.cache.root / "tmp")
        for name in refs_below(ws.git, LIVE):
            if not RunFolder.of(ws.home, name.removeprefix(LIVE)).path.exists():  # the folder comes first, and goes last
                delete_ref(ws.git, name)
        for path in runs_folder(ws.home).glob("newest.*"):
            path.unlink(missing_ok=True)


def _chosen(ws: Workspace, ids: Sequence[str]) -> list[RunFolder]:
    there = list(run_folders(ws.home))
    if not ids:
        return there
    chosen = []
    for text in ids:
        found = [folder for folder in there if folder.id.startswith(text)]
        if len(found) != 1:
            hint = "`gitmlog runs recover` without a name closes all that were killed"
            said = "no run that was not closed begins with" if not found else "several runs begin with"
            raise NotFoundError(f"{said} {text!r}", kind="no-run", hint=hint)
        chosen += found
    return chosen


def _finish(ws: Workspace, folder: RunFolder, progress: Progress) -> Recorded:
    """Outputs are taken from the working tree that the run went on in. Raises DataError, kind `bad-run`, for a damaged folder."""
    try:
        folder.check()
        return finish(_place(ws, folder), folder, recovered=True, progress=progress)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        said = f"{folder.path} is damaged: {type(error).__name__}: {error}"
        raise DataError(said, kind="bad-run", hint="look at it; then delete the folder") from error


def _place(ws: Workspace, folder: RunFolder) -> Workspace:
    root = Path(folder.read_start()["worktree"])
    if root == ws.root or not root.is_dir():
        return ws
    with suppress(GitmlogError):
        other = Workspace.open(root, ws.user_config)
        if other.root == root and other.home == ws.home:
            return other
    return ws


def _discard(ws: Workspace, folder: RunFolder) -> None:
    """A run that was killed before it began."""
    from gitmlog.git.durable import delete_ref, free_ref, git_errors

    with storage_errors(f"clearing away run {folder.id}"), git_errors():
        free_ref(ws.git, folder.live_ref)
        delete_ref(ws.git, folder.live_ref)
        folder.remove()
