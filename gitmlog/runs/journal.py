"""What is logged while a run goes on: lines of JSON, one file a process (spec: run.md, While it runs)."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from gitmlog.core.atomic import READ_FLAGS, is_regular, write_all

Event = list[Any]
PATTERN = "journal-*.jsonl"
BATCH = 2000
"""Metric values in one line: a cut write loses at most one line."""

_LONGEST = 64 << 20
"""Bytes of one line that are read at once: what is longer is no line of ours, and parses in no case."""

_TEAR = b"!\n"
"""Ends a line that was cut, so that it parses in no case: all but its end may have been written, and it is written again."""

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_dumps = json.JSONEncoder(separators=(",", ":")).encode


class Journal:
    """The journal file of this process. The file is made with the first line.

    Metric values are kept in `pending` until `flush`; all else is written at once. Where the disk is full, what could not be
    written stays in memory and is tried again with the next flush; `trouble` is called with the first such error.

    Attributes:
        pending: (key, value, step, time), in the order they were logged. Appending to it is safe from any thread.
    """

    def __init__(self, folder: Path, trouble: Callable[[OSError], None]) -> None:
        self.folder = folder
        self.pending: list[tuple[str, float, int | None, float]] = []
        self._trouble = trouble
        self.guard = threading.RLock()
        self._fd: int | None = None
        self._backlog: list[bytes] = []
        self._torn = False
        self._failed = False
        self._draining = False

    def write(self, *event: Any) -> None:
        """Append one line now, with its time, after what is pending, so that the file has the order of the calls."""
        line = f"{_dumps([*event, time.time()])}\n".encode("utf-8", "replace")
        with self.guard:
            self._drain(line)

    def _drain(self, *lines: bytes) -> None:
        """A signal's handler may log in the midst of this: what it adds is written by whom it interrupted."""
        if self._draining:
            self._backlog += lines
            return
        self._draining = True
        try:
            self._take_pending()
            self._backlog += lines
            self._write_backlog()
        finally:
            self._draining = False

    @property
    def is_behind(self) -> bool:
        """Whether something that was logged is not in the file."""
        return bool(self.pending or self._backlog)

    def flush(self) -> None:
        """Write what is pending."""
        if not self.is_behind:
            return
        with self.guard:
            self._drain()

    def _take_pending(self) -> None:
        while self.pending:
            batch = self.pending[:BATCH]
            del self.pending[: len(batch)]
            self._backlog.append(f"{_dumps(['metrics', batch])}\n".encode("utf-8", "replace"))

    def _write_backlog(self) -> None:
        try:
            if self._fd is None and self._backlog:
                name = f"journal-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
                self._fd = os.open(self.folder / name, _FLAGS, 0o666)
            while self._backlog and self._fd is not None:
                self._write_line(self._fd, self._backlog[0])
                del self._backlog[0]
        except OSError as error:
            if not self._failed:
                self._failed = True
                self._trouble(error)

    def _write_line(self, fd: int, line: bytes) -> None:
        """A line that was cut is begun anew on a line of its own: the reader skips the cut one."""
        data = _TEAR + line if self._torn else line
        self._torn = True
        write_all(fd, data)
        self._torn = False

    def sync(self) -> None:
        """Make what was written durable. Raises OSError when it is not, or something could not be written."""
        with self.guard:
            self._failed = False
            self.flush()
            if self._backlog:
                raise OSError(28, "the journal could not be written")
            if self._fd is not None:
                os.fsync(self._fd)

    def close(self) -> None:
        """The file is not needed any more."""
        with self.guard:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None

    def forked(self) -> None:
        """In a child process: what the parent had pending is the parent's; the child begins a file of its own."""
        self.guard = threading.RLock()
        self.pending.clear()
        self._backlog.clear()
        self._torn = self._draining = False
        if self._fd is not None:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = None


def read_journals(folder: Path, only: str = "") -> list[list[Event]]:
    """The events of each process, in the order that each wrote them; lines that were cut are left out. `only` names one kind."""
    start = f'["{only}"'.encode() if only else b""
    return [list(_events(path, start)) for path in sorted(folder.glob(PATTERN), key=_age)]


def _age(path: Path) -> tuple[float, str]:
    return path.lstat().st_ctime, path.name


def _events(path: Path, start: bytes) -> Iterator[Event]:
    if not is_regular(path.lstat()):  # no process of ours makes links, folders or pipes
        return
    with open(os.open(path, READ_FLAGS), "rb") as stream:
        for line in iter(lambda: stream.readline(_LONGEST), b""):
            if not line.startswith(start):
                continue
            with suppress(ValueError, RecursionError):
                event = json.loads(line)
                if isinstance(event, list) and event and isinstance(event[0], str):
                    yield event
