"""The cache as dvc-data sees it, so that transfer() can read from it and write to it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dvc_data.hashfile.db.local import LocalHashFileDB
from dvc_data.hashfile.meta import Meta
from dvc_objects.fs.local import LocalFileSystem
from fsspec.callbacks import DEFAULT_CALLBACK, Callback

from gitmlog.core.atomic import storage_errors
from gitmlog.core.digest import ObjectId, hash_fd
from gitmlog.core.errors import DataError, RemoteError
from gitmlog.store.cache import Cache, Writer

if TYPE_CHECKING:
    from dvc_objects.fs.base import FileSystem

OnError = Callable[[str, BaseException], None]

_BATCH = 2000
"""Objects that are made durable together: a broken connection costs at most these."""


class _Stopped(Exception):  # noqa: N818 - not an error: another object's was first
    pass


class _Stoppable(Callback):  # type: ignore[misc]
    """Passes bytes on; once stopped, breaks off whatever reports next."""

    def __init__(self, callback: Any) -> None:
        super().__init__()
        self.stopped = False
        self._callback = callback

    def relative_update(self, inc: int = 1) -> None:
        if self.stopped:
            raise _Stopped
        self._callback.relative_update(inc)


class CacheDB(LocalHashFileDB):  # type: ignore[misc]
    """dvc-data's view of a Cache. Its `check` says what is there, never that it is right: whoever reads hashes."""

    def __init__(self, cache: Cache) -> None:
        super().__init__(LocalFileSystem(), str(cache.objects), hash_name="blake3")
        self.cache = cache

    def oids_exist(self, oids: Iterable[str], jobs: int | None = None, progress: Any = None) -> list[str]:
        """Those of `oids` that are in the cache; their bytes are not read."""
        return [oid for oid in oids if self.cache.has(ObjectId(oid))]

    def check(self, oid: str, check_hash: bool = True, _info: dict[str, Any] | None = None) -> Meta:
        """Size of an object that is there. Raises FileNotFoundError."""
        size = self.cache.size(ObjectId(oid))
        if size is None:
            raise FileNotFoundError(self.oid_to_path(oid))
        return Meta(size=size)

    def add(
        self,
        path: str | list[str],
        fs: FileSystem,
        oid: str | list[str],
        hardlink: bool = False,
        callback: Any = DEFAULT_CALLBACK,
        check_exists: bool = True,
        on_error: OnError | None = None,
        **kwargs: Any,
    ) -> int:
        """Fetch objects through `fs`, hash each, and keep those that are what their name says; returns how many.

        What does not fit, or is not there, goes to `on_error`. What was fetched before an error that ends the
        whole transfer is kept.

        Raises:
            RemoteError: the remote cannot be read.
            StorageError: this machine's disk is full or fails.
        """
        paths = [path] if isinstance(path, str) else path
        oids = [oid] if isinstance(oid, str) else oid
        wanted = list(zip(paths, oids, strict=True))
        jobs = kwargs.get("batch_size") or fs.jobs
        failed = 0
        for start in range(0, len(wanted), _BATCH):
            failed += self._add_batch(fs, wanted[start : start + _BATCH], jobs, callback, on_error)
        return len(wanted) - failed

    def _add_batch(
        self, fs: FileSystem, wanted: list[tuple[str, str]], jobs: int, callback: Any, on_error: OnError | None
    ) -> int:
        failed: list[tuple[str, BaseException]] = []
        with storage_errors("receiving objects"), self.cache.writing() as writer:
            try:
                _fetch_all(writer, fs, wanted, jobs, callback, failed)
            finally:
                writer.commit()
        for oid, error in failed:
            if on_error is None:
                raise error
            on_error(oid, error)
        return len(failed)


def _fetch_all(
    writer: Writer,
    fs: FileSystem,
    wanted: list[tuple[str, str]],
    jobs: int,
    callback: Any,
    failed: list[tuple[str, BaseException]],
) -> None:
    stoppable = _Stoppable(callback)
    with ThreadPoolExecutor(max(1, jobs), thread_name_prefix="gitmlog-receive") as pool:
        futures = {pool.submit(_fetch, writer, fs, path, ObjectId(oid), stoppable): oid for path, oid in wanted}
        try:
            for future in as_completed(futures):
                error = future.exception()
                if isinstance(error, FileNotFoundError | DataError):
                    failed.append((futures[future], error))
                elif error is not None:
                    raise error
        except BaseException:
            stoppable.stopped = True
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _fetch(writer: Writer, fs: FileSystem, path: str, oid: ObjectId, callback: Callback) -> None:
    temporary = writer.temporary()
    try:
        with _local_errors():
            fs.get_file(path, str(temporary), callback=callback)
        actual, size = _hash(str(temporary))
        if actual != oid:
            hint = "`gitmlog verify --remote --repair` sends it again from a machine that has it"
            raise DataError(f"object {oid} is damaged on the remote", hint=hint)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    writer.stage(temporary, oid, size)


@contextmanager
def _local_errors() -> Iterator[None]:
    """Receiving fills no remote: when that is what an error says, this machine's disk was meant."""
    try:
        yield
    except RemoteError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            with storage_errors("receiving objects"):
                raise cause from None
        raise


def _hash(path: str) -> tuple[ObjectId, int]:
    with storage_errors("reading what was received"):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return hash_fd(fd, os.fstat(fd).st_size)
        finally:
            os.close(fd)
