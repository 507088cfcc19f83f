"""This process, as runs see it: its environment, its command, forks, exit, and whom warnings are told.

The only module below the command line that reads and writes environment variables: child processes find their run by one.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

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


def at_exit(call: Callable[[], None]) -> None:
    """Call it when the interpreter ends."""
    atexit.register(call)


def at_fork(before: Callable[[], None], in_parent: Callable[[], None], in_child: Callable[[], None]) -> None:
    """Call these around every fork."""
    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)
