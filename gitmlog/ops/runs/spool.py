"""A file of bounded size that keeps the beginning and the end of what is appended to it (spec: run.md, log.txt)."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from gitmlog.core.atomic import write_all

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_COPY = 1 << 20
_LEAST = 4


class Spool:
    """Appends bytes: the first half of `limit` to `path`; what follows to pieces beside it, of which the last two are kept.

    A piece is called NAME.N, where N is the place of its first byte in the whole. `join_pieces` makes one file of them.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.total = 0
        """Bytes that were appended, with those that are kept no more."""
        self._head = max(limit // 2, _LEAST)
        self._piece = max(limit // 4, _LEAST)
        self._fd = -1
        self._room = 0
        self._pieces: list[Path] = []

    def append(self, data: bytes) -> None:
        """Append whole lines. Raises OSError."""
        while data:
            while self._room <= 0:
                self._next()
            part = _lines(data, self._room, whole=bool(self._pieces) and self._room == self._piece)
            if part:
                write_all(self._fd, part)
                self.total += len(part)
                self._room -= len(part)
                data = data[len(part) :]
            else:  # no line fits into the rest of this file
                self._room = 0

    def skip(self, size: int) -> None:
        """Leave out `size` bytes that come next, and the pieces before them. Only when the first half of the limit is there."""
        while self._pieces:
            with suppress(FileNotFoundError):
                os.unlink(self._pieces.pop())
        self.total += size
        self._room = 0

    def append_last(self, data: bytes) -> None:
        """Append to the file that is open, however long it gets; in a process that did not open it. Raises OSError."""
        if self._fd < 0:
            self._next()
        if self._room > 0:
            write_all(self._fd, data)
            self._room -= len(data)

    def _next(self) -> None:
        """Open the file, or after that the next piece, and drop the piece before the last."""
        fresh = self._fd < 0
        target = self.path if fresh else self.path.with_name(f"{self.path.name}.{self.total:015d}")
        fd = os.open(target, _APPEND, 0o666)
        self.close()
        self._fd = fd
        if fresh:
            self.total = os.fstat(fd).st_size
            self._room = self._head - self.total
            return
        self._room = self._piece
        self._pieces.append(target)
        while len(self._pieces) > 2:
            with suppress(FileNotFoundError):
                os.unlink(self._pieces.pop(0))

    def close(self) -> None:
        """Close the file that is open. Raises nothing."""
        if self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)


def _lines(data: bytes, room: int, *, whole: bool) -> bytes:
    """As many whole lines of `data` as fit; of a line that never fits a part, where it must be (`whole`)."""
    if len(data) <= room:
        return data
    part = data[:room]
    end = part.rfind(b"\n") + 1
    return part[:end] if end or not whole else part


def pieces_of(path: Path) -> list[Path]:
    """The pieces beside `path`, in order."""
    prefix = f"{path.name}."
    names = [name for name in os.listdir(path.parent) if name.startswith(prefix) and name.removeprefix(prefix).isdigit()]
    return [path.with_name(name) for name in sorted(names, key=lambda name: int(name.removeprefix(prefix)))]


def join_pieces(path: Path) -> None:
    """Make one file of `path` and the pieces beside it, with a line where something is missing. Once or many times.

    Whoever is killed in between loses nothing: `.whole` is complete when it has that name, and then alone counts.

    Raises:
        OSError: the disk is full; the pieces are as they were.
    """
    whole = path.with_name(f"{path.name}.whole")
    pieces = pieces_of(path)
    if not whole.exists():
        if not pieces:
            return
        part = path.with_name(f"{path.name}.part")
        _join(path, pieces, part)
        os.rename(part, whole)
    for piece in pieces:
        piece.unlink(missing_ok=True)
    os.rename(whole, path)


def _join(head: Path, pieces: list[Path], target: Path) -> None:
    begun = int(pieces[0].name.rpartition(".")[2])
    with open(target, "wb") as out:
        _copy(head, out.fileno())
        missing = begun - os.fstat(out.fileno()).st_size
        if missing > 0:
            write_all(out.fileno(), f"[gitmlog: {missing} bytes of output are left out here: runs.log]\n".encode())
        for piece in pieces:
            _copy(piece, out.fileno())
        os.fsync(out.fileno())


def _copy(source: Path, fd: int) -> None:
    with suppress(FileNotFoundError), open(source, "rb") as stream:
        while data := stream.read(_COPY):
            write_all(fd, data)
