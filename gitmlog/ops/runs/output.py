"""What a program prints, kept while it passes through (spec: run.md, log.txt). Nothing here reaches the program."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gitmlog.ops.runs.spool import Spool, join_pieces

HELD = 64 << 10
"""Characters of a line that is not finished, after which it is kept as it is."""
_PENDING = 1 << 20

_logs: weakref.WeakSet[LogFile] = weakref.WeakSet()


class LogFile:
    """Appends text from any thread to a file, without secrets. No method raises.

    Text is taken line by line, of each source (stdout, stderr) by itself, so that a secret that was written in two pieces is
    seen whole. Somebody has to call `flush` at least every half second; a forked child writes at once.
    """

    def __init__(self, path: Path, scrub: Callable[[str], str], limit: int, trouble: Callable[[str], None] | None = None) -> None:
        self.path = path
        self._spool = Spool(path, limit)
        self._scrub = scrub
        self._trouble = trouble
        self._pending: deque[tuple[int, str]] = deque()
        self._waiting = 0
        self._held: dict[int, str] = {}
        self._guard = threading.RLock()
        self._over = False
        self._is_child = False
        _hook_forks()
        _logs.add(self)

    def write(self, text: str, source: int = 0) -> None:
        """Take a text of one source."""
        if self._over or not text:
            return
        self._pending.append((source, text))
        self._waiting += len(text)
        if self._is_child or self._waiting > _PENDING:
            self.flush()

    def flush(self) -> None:
        """Bring all finished lines into the file."""
        with self._guard:
            self._try(lambda: self._emit(self._lines()))

    def skip(self, size: int) -> None:
        """Leave out `size` bytes that come next, and lines that are not finished. Only after half of the limit."""
        with self._guard:
            self._try(lambda: self._emit(self._lines()))
            self._held.clear()
            self._spool.skip(size)

    def close(self) -> None:
        """Bring all into the file, and make one of it when it was longer than the limit."""
        with self._guard:
            self._try(self._end)
            self._over = True
            self._spool.close()

    def _end(self) -> None:
        self._emit(self._lines())
        self._emit("".join(self._held.values()))
        self._held.clear()
        if not self._is_child:
            join_pieces(self.path)

    def _lines(self) -> str:
        """What is finished of all that waits, each source's lines whole."""
        self._waiting = 0
        parts: dict[int, list[str]] = {}
        done: list[str] = []
        with suppress(IndexError):
            while True:
                source, text = self._pending.popleft()
                parts.setdefault(source, [self._held.pop(source, "")]).append(text)
                if "\n" in text or "\r" in text:
                    done.append(self._finished(source, "".join(parts.pop(source))))
        for source, texts in parts.items():
            done.append(self._finished(source, "".join(texts)))
        return "".join(done)

    def _finished(self, source: int, text: str) -> str:
        end = max(text.rfind("\n"), text.rfind("\r")) + 1
        if len(text) - end > HELD:
            end = max(text.rfind(" ", end + HELD // 2), len(text) - HELD // 2)
        if end < len(text):
            self._held[source] = text[end:]
        return text[:end]

    def _emit(self, text: str) -> None:
        if text:
            data = self._scrub(text).encode("utf-8", "replace")
            append = self._spool.append_last if self._is_child else self._spool.append
            append(data)

    def _try(self, action: Callable[[], None]) -> None:
        if self._over:
            return
        try:
            action()
        except Exception as error:  # noqa: BLE001 - the program goes on, whatever happens to its log
            self._over = True
            self._pending.clear()
            said = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            with suppress(Exception):
                (self._trouble or _nobody)(f"the output is kept no longer: {said}")

    def after_fork(self) -> None:
        """In a child: what waited is the parent's, and a lock may be held by a thread that is not here."""
        self._guard = threading.RLock()
        self._pending.clear()
        self._held.clear()
        self._is_child = True


def _nobody(text: str) -> None:
    """Nobody wants to know."""
    del text


_hooked = False


def _hook_forks() -> None:
    global _hooked  # noqa: PLW0603 - once a process
    if not _hooked:
        _hooked = True
        os.register_at_fork(after_in_child=_forked)


def _forked() -> None:
    for log in list(_logs):
        log.after_fork()


class Tee:
    """A text stream that also writes to a log; everything else is the stream's own.

    A `write` that somebody puts on it (IPython does) stays on it: it calls ours, and would be called by ours for ever if it
    stood on the stream below.
    """

    _OWN = frozenset({"write", "writelines", "_stream", "_log", "_source"})

    def __init__(self, stream: Any, log: LogFile, source: int) -> None:
        self._stream = stream
        self._log: LogFile | None = log
        self._source = source

    def write(self, text: str) -> Any:
        """Write through, and keep it."""
        result = self._stream.write(text)
        if self._log is not None:
            self._log.write(text, self._source)
        return result

    def writelines(self, lines: Iterable[str]) -> None:
        """As `write`, of each."""
        for line in lines:
            self.write(line)

    def disconnect(self) -> None:
        """Only pass through from now on: loggers may hold this object for ever."""
        self._log = None

    @property
    def below(self) -> Any:
        """The stream that this one stands before, without those that only pass through."""
        stream = self._stream
        while isinstance(stream, Tee) and stream._log is None:
            stream = stream._stream
        return stream

    def keeps(self, log: LogFile) -> bool:
        """Whether this one, or one below, writes to `log`."""
        return self._log is log or (isinstance(self._stream, Tee) and self._stream.keeps(log))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self._stream, name, value)

    def __iter__(self) -> Any:
        return iter(self._stream)

    def __enter__(self) -> Tee:
        self._stream.__enter__()
        return self

    def __exit__(self, *details: Any) -> Any:
        return self._stream.__exit__(*details)


def capture(log: LogFile) -> Callable[[], None]:
    """Keep what is written to sys.stdout and sys.stderr in `log`, until what is returned is called.

    A stream that somebody replaced meanwhile stays theirs. One that is captured for another log already, goes to both.
    """
    installed: list[tuple[str, Tee]] = []
    for source, name in enumerate(("stdout", "stderr")):
        stream = getattr(sys, name, None)
        if stream is None or (isinstance(stream, Tee) and stream.keeps(log)):
            continue
        tee = Tee(stream, log, source)
        setattr(sys, name, tee)
        installed.append((name, tee))
    return lambda: _restore(installed)


def _restore(installed: list[tuple[str, Tee]]) -> None:
    for name, tee in installed:
        tee.disconnect()
        if getattr(sys, name, None) is tee:
            setattr(sys, name, tee.below)
    installed.clear()
