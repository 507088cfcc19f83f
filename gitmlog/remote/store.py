"""obstore behind fsspec, with what its own class leaves out: bounded memory, prefixes, parallel parts."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError
from obstore.fsspec import FsspecStore
from obstore.store import from_url

from gitmlog.core.atomic import storage_errors, write_all
from gitmlog.remote.filesystem import BUFFERS, PART, Budget, Report, Upload, checked_bytes, checked_pieces

PARTS_AT_ONCE = 8
MAX_PARTS = 9000
STREAM_PIECE = 1 << 20
_PAUSE = 0.2
_CUT = ("error decoding response body", "kind: Body", "kind: Decode", "IncompleteMessage", "end of file")


class ObjectStore(FsspecStore):  # type: ignore[misc]
    """One bucket, container or web server.

    Attributes:
        budget: shared by all that holds object bytes in memory.
        ranges: whether parts of an object can be asked for.
    """

    cachable = False

    def __init__(self, protocol: str, settings: dict[str, Any], *, budget: Budget | None = None, ranges: bool = True) -> None:
        self.budget = budget or Budget(BUFFERS)
        self.ranges = ranges
        self._upload_client = settings.pop("upload_client_options", settings.get("client_options"))
        self._attempts = settings["retry_config"]["max_retries"]
        self._conditional = True
        self._parts = ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="gitmlog-part")
        self._senders: dict[str, Any] = {}
        self._guard = threading.Lock()
        super().__init__(protocol, **settings)

    def _split_path(self, path: str) -> tuple[str, str]:
        bucket, _, key = path.removeprefix(f"{self.protocol}://").partition("/")
        return bucket, key

    def _place(self, path: str) -> tuple[Any, str]:
        bucket, key = self._split_path(path)
        return self._construct_store(bucket), key

    def _sender(self, path: str) -> tuple[Any, str]:
        bucket, key = self._split_path(path)
        with self._guard:
            if bucket not in self._senders:
                self._senders[bucket] = self._make_store(bucket, self._upload_client)
            return self._senders[bucket], key

    def _construct_store(self, bucket: str) -> Any:
        return self._make_store(bucket, self._client_options)

    def _make_store(self, bucket: str, client_options: Any) -> Any:
        return from_url(
            f"{self.protocol}://{bucket}",
            config=self._config,
            client_options=client_options,
            retry_config=self._retry_config,
            credential_provider=self._credential_provider,
        )

    def size_of(self, path: str) -> int | None:
        """Bytes of the object, or None."""
        store, key = self._place(path)
        try:
            return int(obstore.head(store, key)["size"])
        except FileNotFoundError:
            return None

    def list_sizes(self, folder: str, limit: int = 0) -> dict[str, int]:
        """Path and bytes of every object below `folder`; stops after `limit`, if there is one."""
        store, prefix = self._place(folder)
        bucket = folder.partition("/")[0]
        found: dict[str, int] = {}
        for page in obstore.list(store, prefix or None, chunk_size=1000):
            found.update((f"{bucket}/{entry['path']}", entry["size"]) for entry in page)
            if limit and len(found) >= limit:
                break
        return found

    def stream(self, path: str) -> Iterator[bytes]:
        """The object's bytes, in pieces."""
        store, key = self._place(path)
        yield from obstore.get(store, key).stream(min_chunk_size=STREAM_PIECE)

    def read(self, path: str) -> bytes:
        """All bytes of a small object."""
        store, key = self._place(path)
        return bytes(self._again(lambda: obstore.get(store, key).bytes()))

    def create(self, path: str, data: Any) -> bool:
        """Put an object unless there is one; returns whether it was put. Without conditional puts it always is."""
        store, key = self._sender(path)
        if self._conditional:
            try:
                obstore.put(store, key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
            except (NotSupportedError, NotImplementedError):
                self._conditional = False
            except BaseError as error:
                if "501 Not Implemented" not in str(error):
                    raise
                self._conditional = False
            else:
                return True
        obstore.put(store, key, data, use_multipart=False)
        return True

    def send(self, upload: Upload, report: Report) -> None:
        """Put one object, hashed on its way: in one request, or in parts that are completed only when the hash fits."""
        if upload.size > PART:
            self._send_parts(upload, report)
            return
        with self.budget.take(upload.size):
            data = checked_bytes(upload)
            report(len(data))
            if upload.replace:
                store, key = self._sender(upload.path)
                obstore.put(store, key, data, use_multipart=False)
            else:
                self.create(upload.path, data)

    def _send_parts(self, upload: Upload, report: Report) -> None:
        store, key = self._sender(upload.path)
        part = max(PART, -(-upload.size // MAX_PARTS))
        at_once = max(1, min(PARTS_AT_ONCE, upload.size // part, self.budget.total // part - 2))
        with self.budget.take((at_once + 2) * part):
            pieces = checked_pieces(upload, part, report)
            try:
                obstore.put(store, key, pieces, use_multipart=True, chunk_size=part, max_concurrency=at_once)
            except BaseError as error:
                # Azure drops the parts of all others when one of two uploads of the same object is completed
                if upload.replace or "status code: 4" not in str(error) or self.size_of(upload.path) != upload.size:
                    raise

    def fetch(self, path: str, target: str, size: int | None, report: Report) -> int:
        """Write the object to the file `target`; `size` is how large it should be, if known. Returns how large it is."""
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            if not self.ranges:
                return int(self._again(lambda: self._fetch_stream(path, fd, size, report)))
            if size is None or size <= PART:
                found = int(self._again(lambda: self._fetch_whole(path, fd, size, report)))
                if found <= PART or (size is not None and found != size):
                    return found
                size = found
            return self._fetch_parts(path, fd, size, report)
        finally:
            os.close(fd)

    def _fetch_whole(self, path: str, fd: int, size: int | None, report: Report) -> int:
        store, key = self._place(path)
        with self.budget.take(PART if size is None else size):
            answer = obstore.get(store, key)
            found = int(answer.meta["size"])
            if found <= PART and size in (None, found):
                with memoryview(answer.bytes()) as data, storage_errors("receiving an object"):
                    os.pwrite(fd, data, 0)
                report(found)
            return found

    def _fetch_parts(self, path: str, fd: int, size: int, report: Report) -> int:
        store, key = self._place(path)
        found = int(obstore.head(store, key)["size"])
        if found != size:
            return found
        futures = [self._parts.submit(self._fetch_part, store, key, fd, start, size) for start in range(0, size, PART)]
        try:
            for future in futures:
                report(future.result())
        except BaseException:
            for future in futures:
                future.cancel()
            for future in futures:
                with suppress(BaseException):
                    future.result()
            raise
        return size

    def _fetch_part(self, store: Any, key: str, fd: int, start: int, size: int) -> int:
        length = min(PART, size - start)
        with self.budget.take(length):
            data = self._again(lambda: obstore.get_range(store, key, start=start, length=length))
            with memoryview(data) as view, storage_errors("receiving an object"):
                if len(view) != length:
                    raise ConnectionError(f"{len(view)} bytes instead of {length}")
                written = 0
                while written < length:
                    written += os.pwrite(fd, view[written:], start + written)
        return length

    def _fetch_stream(self, path: str, fd: int, size: int | None, report: Report) -> int:
        store, key = self._place(path)
        answer = obstore.get(store, key)
        found = int(answer.meta["size"])
        if size is not None and found != size:
            return found
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
        for piece in answer.stream(min_chunk_size=STREAM_PIECE):
            with storage_errors("receiving an object"):
                write_all(fd, piece)
            report(len(piece))
        return os.lseek(fd, 0, os.SEEK_CUR)

    def _again(self, request: Any) -> Any:
        """obstore repeats what failed before the first byte of the answer; what was cut in its middle is repeated here."""
        for attempt in range(self._attempts):
            try:
                return request()
            except BaseError as error:
                if not any(sign in str(error) for sign in _CUT):
                    raise
                time.sleep(_PAUSE * 2**attempt)
        return request()

    async def _get_file(self, rpath: str, lpath: str, **kwargs: Any) -> None:
        await asyncio.to_thread(self.fetch, rpath, lpath, None, lambda _: None)

    async def _put_file(self, lpath: str, rpath: str, mode: str = "overwrite", **kwargs: Any) -> None:
        store, key = self._sender(rpath)
        size = os.stat(lpath).st_size
        part = max(PART, -(-size // MAX_PARTS))
        put = partial(obstore.put, store, key, use_multipart=size > PART, chunk_size=part, max_concurrency=PARTS_AT_ONCE)
        with open(lpath, "rb") as file:
            await asyncio.to_thread(put, file)

    async def _find(self, path: str, maxdepth: int | None = None, withdirs: bool = False, **kwargs: Any) -> Any:
        prefix = kwargs.get("prefix") or ""
        sizes = await asyncio.to_thread(self.list_sizes, path)
        names = sorted(name for name in sizes if name.startswith(f"{path.rstrip('/')}/{prefix}"))
        if not kwargs.get("detail"):
            return names
        return {name: {"name": name, "size": sizes[name], "type": "file"} for name in names}
