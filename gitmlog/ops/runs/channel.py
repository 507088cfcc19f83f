"""Where a program's output goes: pipes, or a pseudo-terminal where the user has a terminal."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import struct
import termios
from contextlib import suppress
from dataclasses import dataclass

_PIPE = 1 << 20
_OUTPUT, _LOCAL, _SIGNS = 1, 3, 6
_EXTPROC: int = getattr(termios, "EXTPROC", 0o200000)
_TIOCPKT_IOCTL = 0x40
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)


@dataclass
class Channel:
    """The two ends of the program's output.

    Attributes:
        child_out, child_err: the descriptors that the program gets.
        out, err: those that we read; `err` is None when both streams go one way, so that their order is kept.
        terminal: the user's terminal, or None.
    """

    child_out: int
    child_err: int
    out: int
    err: int | None
    terminal: int | None

    @classmethod
    def open(cls, out: int | None, err: int | None) -> Channel:
        """For output that shall reach these descriptors: a terminal where they are one, so that the program behaves as without
        us; one way for both where both are the same file, pipe or terminal. None is a stream that is closed.
        """
        terminals = [fd for fd in (out, err) if fd is not None and os.isatty(fd)]
        read_out, write_out = _pair(out)
        read_err, write_err = (None, write_out) if _same(out, err) else _pair(err)
        return cls(write_out, write_err, read_out, read_err, terminals[0] if terminals else None)

    def close_child_side(self) -> None:
        """The program has its own copies: ours would keep the end of its output from being seen."""
        for fd in {self.child_out, self.child_err} - {-1}:
            os.close(fd)
        self.child_out = self.child_err = -1

    def close(self) -> None:
        """Nobody is going to use it."""
        self.close_child_side()
        for fd in (self.out, self.err):
            if fd is not None:
                os.close(fd)

    def resize(self) -> None:
        """The user's terminal may have another size: then the program is told, after its own terminal has it."""
        if self.terminal is None:
            return
        changed = [_copy_size(self.terminal, fd) for fd in (self.out, self.err) if fd is not None and os.isatty(fd)]
        if any(changed):  # the kernel told everyone in the group when only the user's terminal had it
            os.killpg(os.getpgrp(), signal.SIGWINCH)


def _same(one: int | None, other: int | None) -> bool:
    """Whether two descriptors lead to the same place: `2>&1`, or one terminal."""
    if one is None or other is None:
        return one is other
    first, second = os.fstat(one), os.fstat(other)
    if stat.S_ISCHR(first.st_mode) and stat.S_ISCHR(second.st_mode):
        return first.st_rdev == second.st_rdev
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def _pair(target: int | None) -> tuple[int, int]:
    """(what we read, what the program writes)."""
    if target is not None and os.isatty(target):
        with suppress(OSError):  # no pseudo-terminals here: a pipe has to do
            return _terminal_pair(target)
    ours, theirs = os.pipe()
    if _SET_PIPE_SIZE is not None:
        with suppress(OSError):  # it only makes long output quicker
            fcntl.fcntl(ours, _SET_PIPE_SIZE, _PIPE)
    return ours, theirs


def _terminal_pair(target: int) -> tuple[int, int]:
    """In packet mode (tty_ioctl(4)): a program that sets the keyboard by its output, as ncurses does, is noticed."""
    ours, theirs = os.openpty()
    with suppress(termios.error):
        attributes = termios.tcgetattr(target)
        attributes[_OUTPUT] &= ~termios.OPOST  # line ends are the real terminal's business
        attributes[_LOCAL] |= _EXTPROC
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    fcntl.ioctl(ours, termios.TIOCPKT, struct.pack("i", 1))
    _copy_size(target, theirs)
    return ours, theirs


def unpack(data: bytes, source: int, terminal: int | None) -> bytes:
    """What was read from our side of a pseudo-terminal: the program's bytes; "" where it only changed how its terminal works."""
    if data[0] & _TIOCPKT_IOCTL and terminal is not None:
        with suppress(termios.error, OSError):
            _pass_on_attributes(source, terminal)
    return data[1:] if data[0] == 0 else b""


def _pass_on_attributes(source: int, terminal: int) -> None:
    wanted, now = termios.tcgetattr(source), termios.tcgetattr(terminal)
    new = [wanted[0], *now[1:]]
    new[_OUTPUT] = wanted[_OUTPUT] & ~termios.OPOST | now[_OUTPUT] & termios.OPOST
    new[_LOCAL] = wanted[_LOCAL] & ~_EXTPROC | now[_LOCAL] & _EXTPROC
    new[_SIGNS] = wanted[_SIGNS]
    if new != now:
        termios.tcsetattr(terminal, termios.TCSANOW, new)


def _copy_size(source: int, target: int) -> bool:
    """Whether it was another size."""
    try:
        size = fcntl.ioctl(source, termios.TIOCGWINSZ, bytes(8))
        if size == fcntl.ioctl(target, termios.TIOCGWINSZ, bytes(8)):
            return False
        fcntl.ioctl(target, termios.TIOCSWINSZ, size)
    except OSError:  # the terminal is gone
        return False
    return struct.unpack("HHHH", size)[:2] != (0, 0)
