"""What is between a program's output and its log: keeping is slower than passing on, and shall not slow the program."""

from __future__ import annotations

import codecs
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

_BATCH = 0.1
_LEAST = 1 << 20
_KEY = b"PRIVATE KEY"
_LEFT_OUT = -1

_Piece = tuple[int, bytes | int]
"""The number of a stream and what it brought, or how many bytes are left out."""


class Log(Protocol):
    """What keeps the text of the output, its first and its last part where it is longer than its limit."""

    def write(self, text: str, source: int = 0) -> object:
        """Take a text of one stream. Never raises."""

    def skip(self, size: int) -> object:
        """Leave out so many bytes of the middle. Never raises."""


class Keeper(threading.Thread):
    """Hands bytes on to the log as text, a moment later.

    At most `limit` bytes wait, which is what the log keeps at most. Where more comes, the middle is left out here already,
    or, when it is not known yet whether there will be a middle, whoever brings it waits.
    """

    def __init__(self, log: Log | None, limit: int) -> None:
        super().__init__(name="gitmlog-log", daemon=True)
        self._log = log
        self._limit = max(limit, _LEAST)
        self._taken = 0
        self._handed_on = 0
        self._waiting = 0
        self._pieces: deque[_Piece] = deque()
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._decoders: list[codecs.IncrementalDecoder] = []
        self._torn: set[int] = set()
        if log is not None:
            self.start()

    def taker(self) -> Callable[[bytes], None]:
        """What takes the bytes of one more stream."""
        number = len(self._decoders)
        self._decoders.append(codecs.getincrementaldecoder("utf-8")("replace"))
        return lambda data: self._take(number, data)

    def _take(self, source: int, data: bytes) -> None:
        if self._log is None:
            return
        with self._changed:
            self._taken += len(data)
            if self._waiting + len(data) > self._limit and not self._leave_out():
                self._changed.wait_for(lambda: self._waiting < self._limit)
            self._pieces.append((source, data))
            self._waiting += len(data)
            self._changed.notify_all()

    def _leave_out(self) -> bool:
        """Take the older half of what waits out of the middle. False where there is no middle yet, or a private key in it."""
        at = self._handed_on
        kept: list[_Piece] = []
        middle: list[_Piece] = []
        for source, piece in self._pieces:
            head = isinstance(piece, int) or at < self._limit // 2
            (kept if head and not middle else middle).append((source, piece))
            at += piece if isinstance(piece, int) else len(piece)
        gone, rest = middle[: len(middle) // 2], middle[len(middle) // 2 :]
        data = b"".join(piece for _, piece in [*gone, *rest[:1]] if isinstance(piece, bytes))
        if self._taken <= self._limit or not gone or _KEY in data:
            return False
        size = sum(piece if isinstance(piece, int) else len(piece) for _, piece in gone)
        self._waiting -= sum(len(piece) for _, piece in gone if isinstance(piece, bytes))
        self._pieces = deque([*kept, (_LEFT_OUT, size), *rest])
        return True

    def run(self) -> None:
        """Until `finish`."""
        while not self._over.is_set() or self._pieces:
            with self._changed:
                self._changed.wait_for(lambda: self._pieces or self._over.is_set())
            self._over.wait(_BATCH)
            while self._pieces:
                self._hand_on()
        for number, decoder in enumerate(self._decoders):
            self._write(decoder.decode(b"", final=True), number)

    def _hand_on(self) -> None:
        with self._changed:
            source, piece = self._pieces.popleft()
            self._handed_on += piece if isinstance(piece, int) else len(piece)
        if isinstance(piece, int):
            self._skip(piece)
            return
        self._write(self._decoders[source].decode(self._whole(source, piece)), source)
        with self._changed:
            self._waiting -= len(piece)
            self._changed.notify_all()

    def _skip(self, size: int) -> None:
        if self._log is not None:
            self._log.skip(size)
        for decoder in self._decoders:
            decoder.reset()
        self._torn.update(range(len(self._decoders)))

    def _whole(self, source: int, data: bytes) -> bytes:
        """After a gap: from the next line on, since the rest of a secret does not look like one."""
        if source not in self._torn:
            return data
        _, end, rest = data.partition(b"\n")
        if end:
            self._torn.discard(source)
        return rest

    def _write(self, text: str, source: int) -> None:
        if text and self._log is not None:
            self._log.write(text, source)

    def finish(self) -> None:
        """Hand on all that waits, and end."""
        if self._log is not None:
            with self._changed:
                self._over.set()
                self._changed.notify_all()
            self.join()
