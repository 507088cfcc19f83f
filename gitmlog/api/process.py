"""This process, as runs see it: its environment, its command, forks, exit, and whom warnings are told.

The only module below the command line that reads and writes environment variables: child processes find their run by one.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

AnyPath = str | os.PathLike[str]

USER_CONFIG = Path("~/.config/gitmlog/config.toml")
"""The user's own configuration file, unless a call names another; below XDG_CONFIG_HOME, where that is set, not ~/.config."""

VARIABLE = "GITMLOG_RUN"
"""Names the folder of the run that a process shall log into."""


def config_file(path: AnyPath | None) -> Path | None:
    """The user's own configuration file as a call names it: None is none; that of the command line where it is USER_CONFIG."""
    if path is None:
        return None
    home = os.environ.get("XDG_CONFIG_HOME")
    if path is USER_CONFIG and home:
        return Path(home) / "gitmlog" / "config.toml"
    return Path(path).expanduser()


def paths(given: AnyPath | Iterable[AnyPath]) -> tuple[str, ...]:
    """Paths that a call names: one, or several."""
    several = (given,) if isinstance(given, str | os.PathLike) else given
    return tuple(os.fspath(path) for path in several)


def variables() -> Mapping[str, str]:
    """The environment variables."""
    return os.environ


def joined_folder() -> Path | None:
    """The folder of the run that this process was started in, or None."""
    value = os.environ.get(VARIABLE)
    return Path(value) if value else None


def hand_down(folder: Path | None) -> str | None:
    """Let child processes log into the run of `folder` (None: into no run); returns what the variable was before."""
    before = os.environ.get(VARIABLE)
    if folder is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = os.fspath(folder)
    return before


def give_back(before: str | None) -> None:
    """Undo `hand_down`."""
    hand_down(Path(before) if before else None)


def command() -> Sequence[str]:
    """How this process was started: the interpreter by its name, not by its place on this machine."""
    words = list(getattr(sys, "orig_argv", None) or [sys.executable, *sys.argv])
    return [os.path.basename(words[0]), *words[1:]] if words else []


def tell(text: str) -> None:
    """A warning of ours, on the logger `gitmlog`: on stderr unless the program configured logging."""
    import logging

    logging.getLogger("gitmlog").warning(text)


def uncaught() -> BaseException | None:
    """The exception that is ending the interpreter, or None."""
    found = getattr(sys, "last_value", None)
    return found if isinstance(found, BaseException) else None


class Terminated(SystemExit):
    """SIGTERM, as schedulers send it before they kill: the program unwinds, so that its runs are recorded.

    Attributes:
        came: whether it was raised in this process.
        handler: what raises it.
    """

    came: ClassVar[bool] = False
    handler: ClassVar[Callable[[int, object], None] | None] = None


def on_terminate(has_runs: Callable[[], bool]) -> None:
    """Let SIGTERM end the program by Terminated (exit code 143) while `has_runs`; where somebody handles it, it stays theirs."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def handle(number: int, _: object) -> None:
        if has_runs():
            Terminated.came = True
            raise Terminated(128 + number)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    Terminated.handler = handle
    signal.signal(signal.SIGTERM, handle)


def before_fork() -> None:
    """Where there is a handler, a signal that a child gets before Python is ready in it is forgotten: it gets none of ours."""
    if Terminated.handler is not None and signal.getsignal(signal.SIGTERM) is Terminated.handler:
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def after_fork_in_parent() -> None:
    """Undo `before_fork`."""
    if Terminated.handler is not None and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        with suppress(ValueError):
            signal.signal(signal.SIGTERM, Terminated.handler)


def at_exit(call: Callable[[], None]) -> None:
    """Call it when the interpreter ends."""
    atexit.register(call)


def at_fork(before: Callable[[], None], in_parent: Callable[[], None], in_child: Callable[[], None]) -> None:
    """Call these around every fork."""
    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)
