"""Copying files into the cache, hashing them on the way (spec: cache.md, Writing)."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from gitmlog.core.atomic import READ_FLAGS, is_regular, sync_filesystem, sync_path, write_all
from gitmlog.core.digest import CHUNK, ObjectId, hash_bytes, hash_fd, new_hasher
from gitmlog.core.errors import DataError, GitmlogError, NotFoundError, RefusedError
from gitmlog.core.paths import display
from gitmlog.core.progress import Task
from gitmlog.store.cache import FEW, Writer
from gitmlog.store.walk import kind_of

SMALL = 4 << 20
"""Bytes up to which a file is read at once."""

YOUNG = 60_000_000_000
"""Nanoseconds for which a page that was written through mmap may stay dirty, and be written again without moving the file's times
(Linux marks such a page read-only only when it is written back: dirty_expire_centisecs is 30 s)."""

_BATCH_FILES = 50_000
_BATCH_BYTES = 8 << 30
_CHUNK_FILES = 64
_MANY = 1000
_FICLONE = 0x40049409
_OBJECT_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

Advance = Callable[[int], None]


class Stored(NamedTuple):
    """A file whose bytes are in the cache: its object, and its stat when it was read."""

    oid: ObjectId
    info: os.stat_result


Take = Callable[[Writer, str, str, Advance], Stored]
"""How one file is taken in: (writer, path, name for errors, progress)."""


def ingest(
    writer: Writer, root: Path, name: str, sizes: Mapping[str, int], task: Task, *, jobs: int = 1, take: Take | None = None
) -> Iterator[tuple[str, Stored]]:
    """Copy the files `sizes` (path below `root` -> bytes expected) into the cache; errors call `root` by `name`.

    What has been yielded is durable only after `writer.commit()`, which is also called here after every 50,000 files
    or 8 GiB, so that a killed command keeps what it had done.

    `take` does it another way than by copying (`gitmlog.store.adopt`).

    Raises:
        DataError: kind `changed-while-read`.
        RefusedError: kind `not-a-file`.
        NotFoundError: a file is gone, or may not be read (kind `unreadable`).
    """
    files = bytes_ = 0
    for path, stored in _copies(writer, root, name, sizes, task, jobs, take or copy_in):
        yield path, stored
        files, bytes_ = files + 1, bytes_ + stored.info.st_size
        if files >= _BATCH_FILES or bytes_ >= _BATCH_BYTES:
            writer.commit()
            files = bytes_ = 0


def flush_young(root: Path, files: Mapping[str, os.stat_result]) -> None:
    """Write back what was written lately, so that any later write, also one through mmap, moves the file's times."""
    limit = time.time_ns() - YOUNG
    young = [name for name, info in files.items() if info.st_mtime_ns > limit]
    if len(young) > FEW:
        sync_filesystem(root)
        return
    for name in young:
        with suppress(OSError):  # gone or unreadable: whoever reads it next says so
            sync_path(root / name if name else root)


def _copies(
    writer: Writer, root: Path, name: str, sizes: Mapping[str, int], task: Task, jobs: int, take: Take
) -> Iterator[tuple[str, Stored]]:
    prefix = os.fspath(root)

    def copy(paths: list[str]) -> list[tuple[str, Stored]]:
        return [(path, take(writer, _joined(prefix, path), _joined(name, path), task.advance)) for path in paths]

    if len(sizes) > _MANY:
        writer.expect_many()
    chunks = _chunks(sizes)
    if jobs <= 1 or len(sizes) <= _CHUNK_FILES:
        for chunk in chunks:
            yield from copy(chunk)
        return
    with ThreadPoolExecutor(jobs) as pool:
        waiting: list[Future[list[tuple[str, Stored]]]] = [pool.submit(copy, chunk) for chunk in islice(chunks, jobs * 2)]
        try:
            while waiting:
                done = waiting.pop(0).result()
                waiting += [pool.submit(copy, chunk) for chunk in islice(chunks, 1)]
                yield from done
        finally:
            for future in waiting:
                future.cancel()


def _joined(folder: str, path: str) -> str:
    return f"{folder}/{path}" if path else folder


def _chunks(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for path, size in sizes.items():
        chunk.append(path)
        if len(chunk) >= _CHUNK_FILES or size > SMALL:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def copy_in(writer: Writer, path: str, name: str, advance: Advance) -> Stored:
    """Copy one file into the cache; `name` is what errors call it."""
    fd = open_source(path, name)
    try:
        before = os.fstat(fd)
        if not is_regular(before):
            raise not_a_file(name, kind_of(before.st_mode))
        small = before.st_size <= SMALL
        oid = _copy_small(writer, fd, before.st_size) if small else _copy_large(writer, fd, before.st_size, advance)
        after = os.fstat(fd)
    finally:
        os.close(fd)
    if oid is None or changed(before, after):
        raise changed_while_read(name)
    if small:
        advance(before.st_size)
    return Stored(oid, before)


def open_source(path: str | os.PathLike[str], name: str) -> int:
    """A descriptor for reading a user's file; never through a link, never hanging on a FIFO."""
    try:
        return os.open(path, READ_FLAGS)
    except FileNotFoundError as error:
        raise NotFoundError(f"{display(name)} is gone", hint="run the command again") from error
    except PermissionError as error:
        raise NotFoundError(f"{display(name)} may not be read", kind="unreadable", hint=f"chmod u+r {display(name)}") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise not_a_file(name, "a symbolic link") from error
        if error.errno == errno.ENXIO:
            raise not_a_file(name, "a socket") from error
        raise


def not_a_file(name: str, what: str) -> GitmlogError:
    """The error for something that has no bytes to keep."""
    hint = "move it out of the directory, or add only the files that belong to it"
    return RefusedError(f"{display(name)} is {what}, not a plain file", kind="not-a-file", hint=hint)


def changed(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether a file was written between two stats."""
    fields = ("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")
    return any(getattr(before, field) != getattr(after, field) for field in fields)


def changed_while_read(name: str) -> GitmlogError:
    """The error for a file that was written while it was read."""
    hint = "wait until whoever writes it is done, then run the command again"
    return DataError(f"{display(name)} changed while it was read", kind="changed-while-read", hint=hint)


def _copy_small(writer: Writer, fd: int, size: int) -> ObjectId | None:
    data = os.read(fd, size + 1)
    if len(data) != size:
        return None
    oid = hash_bytes(data)
    if not writer.holds(oid, data):
        path = writer.fresh_name()
        target = os.open(path, _OBJECT_FLAGS, 0o444)
        try:
            write_all(target, data)
        finally:
            os.close(target)
        writer.stage(path, oid, size, sealed=True)
    return oid


def _copy_large(writer: Writer, fd: int, size: int, advance: Advance) -> ObjectId | None:
    path = writer.fresh_name()
    target = os.open(path, _OBJECT_FLAGS, 0o444)
    try:
        if clone(fd, target):
            oid, total = hash_fd(target, size)
            advance(total)
        else:
            oid, total = _copy_and_hash(fd, target, advance)
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise
    finally:
        os.close(target)
    if total != size:
        return None
    writer.stage(path, oid, size, sealed=True)
    return oid


def clone(source: int, target: int) -> bool:
    """Share the blocks of `source` with the empty file `target` (FICLONE); False where the file system cannot."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _copy_and_hash(source: int, target: int, advance: Advance) -> tuple[ObjectId, int]:
    """Each chunk is hashed while it is being written and the next one is being read; memory: three chunks."""
    hasher = new_hasher(threads=True)
    buffers = [memoryview(bytearray(CHUNK)) for _ in range(3)]
    total, turn = 0, 0
    written: Future[None] | None = None
    with ThreadPoolExecutor(1) as pool:
        while count := os.readv(source, [buffers[turn]]):
            chunk = buffers[turn][:count]
            if written is not None:
                written.result()
            written = pool.submit(write_all, target, chunk)
            hasher.update(chunk)
            total += count
            advance(count)
            turn = (turn + 1) % 3
        if written is not None:
            written.result()
    return ObjectId(hasher.hexdigest()), total
