"""Closing runs whose process is dead (spec: run.md, The end)."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from gitmlog.core.errors import GitmlogError, NotFoundError, RefusedError
from gitmlog.core.progress import SILENT, Progress
from gitmlog.ops.runs.finish import Recorded, finish
from gitmlog.ops.runs.folder import RunFolder, run_folders
from gitmlog.repo.workspace import Workspace

_STARTING = 60.0
"""Seconds that a start may take."""


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
                owner = folder.take()
            except BlockingIOError:
                live.append(folder.id)
                continue
            except FileNotFoundError:  # its own process has just recorded it
                continue
            try:
                if folder.is_started:
                    recorded.append(finish(ws, folder, recovered=True, progress=progress))
                elif _is_old(folder):
                    _discard(ws, folder)
                    cleaned += 1
            except GitmlogError as error:
                failed.append((folder.id, error))
            finally:
                os.close(owner)
    if ids and live:
        raise RefusedError(f"run {live[0]} goes on", kind="run-live", hint="end its process first (`ps`), then recover it")
    return Recovery(tuple(recorded), cleaned, tuple(live), tuple(failed))


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


def _is_old(folder: RunFolder) -> bool:
    """A run that is just starting looks like one that never began."""
    with suppress(FileNotFoundError):
        return time.time() - folder.path.stat().st_mtime > _STARTING
    return False


def _discard(ws: Workspace, folder: RunFolder) -> None:
    """A run that was killed before it began."""
    from gitmlog.git.durable import delete_ref, git_errors

    with git_errors():
        delete_ref(ws.git, folder.live_ref)
    folder.remove()
