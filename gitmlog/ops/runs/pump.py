"""A program's output on its way through: pipes, or a pseudo-terminal where the user has a terminal."""

from __future__ import annotations

import codecs
import fcntl
import os
import struct
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

_CHUNK = 1 << 16
_LINGER = 2.0
_MAX_LINE = 1 << 16


class Sink(Protocol):
    """What keeps the text of the output."""

    def write(self, text: str, source: int = 0) -> object:
        """Take a text of one stream. Never raises."""


@dataclass
class Channel:
    """The two ends of the program's output.

    Attributes:
        child_out, child_err: the descriptors that the program gets.
        out, err: those that we read; `err` is None when both streams go one way, as on one terminal.
        terminal: the user's terminal, or None.
    """

    child_out: int
    child_err: int
    out: int
    err: int | None
    terminal: int | None

    @classmethod
    @contextmanager
    def open(cls, out_terminal: int | None, err_terminal: int | None) -> Iterator[Channel]:
        """A pseudo-terminal for what is a terminal now, so that the program behaves as it would without us; else pipes."""
        out, child_out = _pair(out_terminal)
        if out_terminal is not None and err_terminal is not None:
            channel = cls(child_out, child_out, out, None, out_terminal)
        else:
            err, child_err = _pair(err_terminal)
            channel = cls(child_out, child_err, out, err, out_terminal if out_terminal is not None else err_terminal)
        try:
            yield channel
        finally:
            channel.close_child_side()

    def close_child_side(self) -> None:
        """The program has its own copies: ours would keep the end of its output from being seen."""
        for fd in {self.child_out, self.child_err} - {-1}:
            os.close(fd)
        self.child_out = self.child_err = -1

    def resize(self) -> None:
        """The user's terminal has another size."""
        if self.terminal is not None:
            for fd in (self.out, self.err):
                if fd is not None and os.isatty(fd):
                    _copy_size(self.terminal, fd)

    def is_foreground(self) -> bool:
        """Whether a key on the user's terminal sends its signal to the program too."""
        for fd in (0, 1, 2):
            with suppress(OSError):
                return os.tcgetpgrp(fd) == os.getpgrp()
        return False


def _pair(terminal: int | None) -> tuple[int, int]:
    if terminal is None:
        return os.pipe()
    ours, theirs = os.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST  # line ends are the real terminal's business
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    _copy_size(terminal, theirs)
    return ours, theirs


def _copy_size(source: int, target: int) -> None:
    with suppress(OSError):
        size = fcntl.ioctl(source, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
        fcntl.ioctl(target, termios.TIOCSWINSZ, size)


class Pump(threading.Thread):
    """Reads one stream to its end, and closes it: passes the bytes on, keeps the text, hands each line to `on_line`.

    A reader downstream that went away (`| head`) stops the passing on, not the program and not the keeping.
    """

    def __init__(
        self,
        source: int,
        pass_on: Callable[[bytes], None],
        keep: Sink | None,
        on_line: Callable[[str], None] | None = None,
        number: int = 0,
    ) -> None:
        super().__init__(name="gitmlog-output", daemon=True)
        self._source = source
        self._pass_on: Callable[[bytes], None] | None = pass_on
        self._keep = keep
        self._number = number
        self._on_line = on_line
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""

    def run(self) -> None:
        """Until the last process that has the other end closed it."""
        while data := self._read():
            self._pass(data)
            self._take(self._decoder.decode(data))
        self._take(self._decoder.decode(b"", final=True))
        if self._line and self._on_line:
            self._on_line(self._line)
        os.close(self._source)

    def finish(self) -> None:
        """The program is gone: what it left in the pipe is read; a process that it left behind is not waited for."""
        self.join(_LINGER)

    def _read(self) -> bytes:
        try:
            return os.read(self._source, _CHUNK)
        except OSError:  # a pseudo-terminal says EIO at its end
            return b""

    def _pass(self, data: bytes) -> None:
        if self._pass_on is not None:
            try:
                self._pass_on(data)
            except OSError:
                self._pass_on = None

    def _take(self, text: str) -> None:
        if not text:
            return
        if self._keep is not None:
            self._keep.write(text, self._number)
        if self._on_line is not None:
            *lines, self._line = (self._line + text).replace("\r", "\n").split("\n")
            self._line = self._line[-_MAX_LINE:]
            for line in lines:
                self._on_line(line)
