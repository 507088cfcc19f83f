"""A program's output on its way through."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from gitmlog.ops.runs.channel import Channel, unpack
from gitmlog.ops.runs.keeper import Keeper

_CHUNK = 1 << 20
_LINGER = 2.0
_MAX_LINE = 1 << 15


class Pump(threading.Thread):
    """Reads one stream to its end, and closes it: passes the bytes on, hands them to the keeper, and whole lines to `on_line`.

    A reader downstream that went away (`| head`) stops the passing on, not the program and not the keeping.

    Attributes:
        failure: why nothing is passed on any more, when it is more than a reader that went away.
        in_line: whether what was passed on last did not end its line.
        left_behind: whether a process that the program left behind still had the stream open at the end.
    """

    def __init__(self, source: int, target: int | None, keep: Callable[[bytes], None], on_line: Callable[[str], None]) -> None:
        super().__init__(name="gitmlog-output", daemon=True)
        self.failure: OSError | None = None
        self.in_line = False
        self.left_behind = False
        self._source = source
        self._is_terminal = os.isatty(source)
        self._target = target
        self._keep = keep
        self._on_line = on_line
        self._line = b""
        self._poll = select.poll()
        self._poll.register(source, select.POLLIN)
        self._woken, self._wake = os.pipe()
        self._poll.register(self._woken, select.POLLIN)
        self._until: float | None = None

    def run(self) -> None:
        """Until the last process that has the other end closed it, or 2 s after the program ended."""
        while self._ready() and (data := self._read()):
            if self._is_terminal:
                data = unpack(data, self._source, self._target)
            if data:
                self._pass(data)
                self._keep(data)
                self._lines(data)
        self._lines(b"\n")
        for fd in (self._source, self._woken):
            os.close(fd)

    def finish(self) -> None:
        """The program is gone: what is on its way is read; a process that it left behind is waited for no longer than 2 s."""
        self._until = time.monotonic() + _LINGER
        os.close(self._wake)
        self.join()

    def _ready(self) -> bool:
        """Wait for something to read."""
        if self._until is None and any(fd == self._source for fd, _ in self._poll.poll()):
            return True
        if self._until is not None:
            with suppress(KeyError):
                self._poll.unregister(self._woken)
            left = self._until - time.monotonic()
            if left > 0 and self._poll.poll(left * 1000):
                return True
            self.left_behind = True
            return False
        return self._ready()

    def _read(self) -> bytes:
        try:
            return os.read(self._source, _CHUNK)
        except OSError:  # a pseudo-terminal says EIO at its end
            return b""

    def _pass(self, data: bytes) -> None:
        if self._target is None:
            return
        try:
            _write(self._target, data)
            self.in_line = not data.endswith(b"\n")
        except BrokenPipeError:
            self._target = None
        except OSError as error:
            self._target = None
            self.failure = error

    def _lines(self, data: bytes) -> None:
        """Whole lines that hold the word "metric": no other is looked at."""
        text = self._line + data
        if b"\n" not in data and b"\r" not in data:
            self._line = text[:_MAX_LINE]
            return
        end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        self._line = text[end:][:_MAX_LINE]
        if b"metric" in text:
            for line in text[:end].replace(b"\r", b"\n").split(b"\n"):
                if b"metric" in line[:200]:
                    self._on_line(line.decode("utf-8", "replace"))


def _write(fd: int, data: bytes) -> None:
    """Write all; where somebody made the descriptor non-blocking, wait."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])


def start_pumps(channel: Channel, out: int | None, err: int | None, keeper: Keeper, on_line: Callable[[str], None]) -> list[Pump]:
    """A pump for each way of the channel; the first one has the standard output."""
    pumps = [Pump(channel.out, out, keeper.taker(), on_line)]
    if channel.err is not None:
        pumps.append(Pump(channel.err, err, keeper.taker(), lambda _: None))
    for pump in pumps:
        pump.start()
    return pumps
