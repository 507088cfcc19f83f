"""The runs that are active in this process, innermost last, and what happens to them at forks and at the end."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

from gitmlog.api import process
from gitmlog.core.errors import GitmlogError
from gitmlog.runs.record import Status

if TYPE_CHECKING:
    from gitmlog.api.active import ActiveRun
    from gitmlog.ops.runs.live import LiveRun

RUNS: list[ActiveRun] = []
"""The active runs."""

_last: ActiveRun | None = None
_left: set[str] = set()
_hooked = False


def push(run: ActiveRun) -> None:
    """A run has become active."""
    global _last  # noqa: PLW0603 - one process, one last run
    RUNS.append(run)
    _last = run
    if run.live.is_owner:
        process.on_terminate(lambda: any(each.live.is_owner for each in RUNS))


def last() -> ActiveRun | None:
    """The run that became active last, whether it has ended or not."""
    return _last


def end(run: ActiveRun, status: Status, code: int | None = None) -> None:
    """A run is over: the process that owns it records it, one that joined it leaves it."""
    if run in RUNS:
        RUNS.remove(run)
    live = run.live
    if live.is_owner:
        _hand_on(run)
        live.end(status, code)
    else:
        live.leave()
        if not run.joined_by_itself:
            _left.add(run.id)


def _hand_on(run: ActiveRun) -> None:
    """Child processes log into the innermost run that goes on, in whatever order runs end; at last into what was before."""
    owned = [each for each in RUNS if each.live.is_owner]
    for each in owned:
        if each.before == os.fspath(run.live.folder.path):
            each.before = run.before
    if owned:
        process.hand_down(owned[-1].live.folder.path)
    else:
        process.give_back(run.before)


def was_left(run: ActiveRun) -> bool:
    """Whether a start_run of this process had joined that run, and ended: the next one is a run of its own."""
    return run.id in _left


def leave(run: ActiveRun) -> None:
    """Log no more into a run that another process records."""
    if run in RUNS:
        RUNS.remove(run)
    run.live.leave()


def status_of(live: LiveRun, error: BaseException | None) -> tuple[Status, int | None]:
    """How a body ended, with the traceback kept."""
    if error is None or isinstance(error, GeneratorExit):  # a generator that nobody asks any more is done
        return "FINISHED", None
    if isinstance(error, process.Terminated):
        return "KILLED", None
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        return ("FAILED" if code else "FINISHED"), code
    if isinstance(error, KeyboardInterrupt):
        return "KILLED", None
    try:
        live.fail(error, "".join(traceback.format_exception(error)))
    except GitmlogError:
        live.trouble("the traceback could not be kept", error if isinstance(error, Exception) else RuntimeError(str(error)))
    return "FAILED", None


def discard(run: ActiveRun) -> None:
    """Forget a run whose body never began."""
    if run in RUNS:
        RUNS.remove(run)
    if run.live.is_owner:
        _hand_on(run)
        run.live.discard()


def hook() -> None:
    """Watch forks and the end of the interpreter; once a process."""
    global _hooked  # noqa: PLW0603 - once a process
    if not _hooked:
        _hooked = True
        process.at_fork(_before_fork, _after_fork, _in_child)
        process.at_exit(_at_exit)


def _before_fork() -> None:
    """No thread may hold a journal's lock, or have half a line written, while the process is copied."""
    process.before_fork()
    for run in RUNS:
        run.live.journal.guard.acquire()


def _after_fork() -> None:
    for run in reversed(RUNS):
        run.live.journal.guard.release()
    process.after_fork_in_parent()


def _in_child() -> None:
    for run in RUNS:
        run.live.forked()
        run.joined_by_itself = True


def _at_exit() -> None:
    """A run that nobody ended ends with the interpreter, as the interpreter does."""
    while RUNS:
        run = RUNS[-1]
        if run.live.is_owner:
            end(run, *(("KILLED", None) if process.Terminated.came else status_of(run.live, process.uncaught())))
        else:
            end(run, "FINISHED")
