"""What every kind of remote can do: dvc-objects' ObjectFileSystem, with transfers that check what they carry."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from dvc_objects.fs.base import ObjectFileSystem

from gitmlog.core.atomic import storage_errors
from gitmlog.core.digest import ObjectId, hash_bytes, new_hasher
from gitmlog.core.errors import DataError, GitmlogError
from gitmlog.remote.errors import damaged_here, remote_errors

PART = 8 << 20
"""Bytes up to which an object travels in one request; also the least part of a larger one."""

BUFFERS = 96 << 20
"""Bytes that all transfers of one remote may hold in memory together."""

DEFAULT_JOBS = 16

T = TypeVar("T")
Report = Callable[[int], object]


@dataclass(frozen=True)
class Upload:
    """One object to send.

    Attributes:
        oid: what the bytes must hash to.
        source: the file on this machine.
        path: its place on the remote.
        size: bytes of the file.
        replace: whether something else is at its place now.
    """

    oid: ObjectId
    source: str
    path: str
    size: int
    replace: bool = False


class Budget:
    """An amount of memory that threads take their shares of."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._changed = threading.Condition()

    @contextmanager
    def take(self, amount: int) -> Iterator[None]:
        """Hold `amount` bytes (at most the whole budget); waits until they are free. Not reentrant."""
        amount = min(amount, self.total)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= amount)
            self._free -= amount
        try:
            yield
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()


class RemoteFileSystem(ObjectFileSystem):  # type: ignore[misc]
    """A file system of a remote. All methods may be called from several threads.

    Attributes:
        remote: the remote's name, for messages.
        promised: sizes of objects by path, as far as the caller knows them; a remote that offers more is not believed.
        can_list: whether a folder's contents can be asked for.
    """

    can_list = True
    read_only = False

    def __init__(self, remote: str, fs: Any = None, *, jobs: int = DEFAULT_JOBS) -> None:
        super().__init__(fs=fs, jobs=jobs)
        self.remote = remote
        self.promised: dict[str, int] = {}
        self.budget = Budget(BUFFERS)

    def unstrip_protocol(self, path: str) -> str:
        return f"{self.protocol}://{path.lstrip('/')}"

    @abstractmethod
    def size_of(self, path: str) -> int | None:
        """Bytes of the file, or None when it is not there. Raises RemoteError."""

    @abstractmethod
    def list_sizes(self, folder: str, limit: int = 0) -> dict[str, int]:
        """Path and bytes of every file below `folder`, or of the first `limit`. Raises RemoteError."""

    @abstractmethod
    def send_one(self, upload: Upload, report: Report) -> None:
        """Send one object; it is seen whole or not at all. Raises RemoteError, DataError (damaged here)."""

    @abstractmethod
    def stream(self, path: str) -> Iterator[bytes]:
        """The file's bytes in pieces of bounded size. Raises RemoteError, FileNotFoundError."""

    @abstractmethod
    def read_small(self, path: str, limit: int) -> bytes:
        """At most `limit` bytes of the file. Raises RemoteError, FileNotFoundError."""

    @abstractmethod
    def create_small(self, path: str, data: bytes) -> None:
        """Write a small file unless there is one. Raises RemoteError."""

    def prepare(self, temporary: str) -> None:
        """Make what must be there before the first upload. Raises RemoteError."""

    def send_all(self, uploads: Sequence[Upload], jobs: int, report: Report) -> dict[ObjectId, GitmlogError]:
        """Send many objects; returns those that are damaged here. Raises RemoteError at the first other failure."""
        failures: dict[ObjectId, GitmlogError] = {}
        stop = Stop(report)

        def send(upload: Upload) -> None:
            try:
                self.send_one(upload, stop)
            except DataError as error:
                failures[upload.oid] = error

        in_parallel(send, uploads, jobs, stop)
        return failures

    def sizes_of(self, paths: Sequence[str], jobs: int) -> dict[str, int]:
        """Bytes of those files that are there, asked for one by one. Raises RemoteError."""
        return {path: size for path, size in zip(paths, in_parallel(self.size_of, paths, jobs), strict=True) if size is not None}

    def digest_of(self, path: str, report: Report) -> ObjectId:
        """The BLAKE3-256 of the file's bytes, read on the remote. Raises RemoteError, FileNotFoundError."""
        hasher = new_hasher()
        with remote_errors(self.remote):
            for piece in self.stream(path):
                hasher.update(piece)
                report(len(piece))
        return ObjectId(hasher.hexdigest())


class Stopped(Exception):  # noqa: N818 - not an error: another thread's was first
    """Another transfer of the same batch has failed."""


class Stop:
    """Reports progress, until somebody says stop: then every transfer that reports is broken off."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._stopped = threading.Event()

    def __call__(self, amount: int) -> None:
        if self._stopped.is_set():
            raise Stopped
        self._report(amount)

    def set(self) -> None:
        """Break off."""
        self._stopped.set()


def in_parallel(function: Callable[[Any], T], items: Iterable[Any], jobs: int, stop: Stop | None = None) -> list[T]:
    """`function` of each item, in order, on `jobs` threads. The first exception stops all of them and is raised."""
    with ThreadPoolExecutor(max(1, jobs), thread_name_prefix="gitmlog-remote") as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            _raise_first(done)
            return [future.result() for future in futures]
        except BaseException:
            if stop:
                stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _raise_first(done: set[Future[T]]) -> None:
    errors = [error for future in done if (error := future.exception())]
    if errors:
        raise next((error for error in errors if not isinstance(error, Stopped)), errors[0])


def checked_bytes(upload: Upload) -> bytes:
    """All bytes of a small object, which hash to its id. Raises DataError, StorageError."""
    with storage_errors("reading an object of the cache"), open(upload.source, "rb", buffering=0) as file:
        data = file.read()
    if hash_bytes(data) != upload.oid:
        raise damaged_here(upload.oid)
    return data


def checked_pieces(upload: Upload, piece: int, report: Report) -> Iterator[bytes]:
    """The object's bytes in pieces; the last one is given out only when the whole hashes to its id.

    Raises:
        DataError: it does not: whoever sends the pieces must not complete the upload.
        StorageError: the file cannot be read.
    """
    hasher = new_hasher(threads=True)
    held = b""
    with storage_errors("reading an object of the cache"), open(upload.source, "rb", buffering=0) as file:
        while data := file.read(piece):
            hasher.update(data)
            if held:
                report(len(held))
                yield held
            held = data
    if hasher.hexdigest() != upload.oid:
        raise damaged_here(upload.oid)
    report(len(held))
    yield held
