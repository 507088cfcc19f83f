"""A folder of an SSH server, by SFTP. The server needs no gitmlog; its host key is always checked."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any, TypeVar

import asyncssh
from asyncssh.sftp import SFTPEOFError, SFTPFailure, SFTPNoSuchFile, SFTPOpUnsupported
from fsspec.asyn import sync
from sshfs import SSHFileSystem

from gitmlog.core.atomic import storage_errors, write_all
from gitmlog.core.errors import RemoteError
from gitmlog.remote.base import RemoteSpec
from gitmlog.remote.errors import kind_of, plain_error, remote_errors, wrong_size
from gitmlog.remote.filesystem import DEFAULT_JOBS, PART, RemoteFileSystem, Report, Upload, checked_pieces
from gitmlog.remote.layout import object_of
from gitmlog.remote.urls import Location

_PIECE = 4 << 20
_SHARE = 8
_STALE = 7 * 24 * 3600
_PAUSE = 0.3

T = TypeVar("T")

# asyncio warns on stderr of every write to a connection that is already known to be lost
logging.getLogger("asyncio").addFilter(lambda record: record.msg != "socket.send() raised exception.")


def open_ssh(spec: RemoteSpec, location: Location) -> RemoteFileSystem:
    """The server is reached at the first use."""
    root = location.path if location.home else f"/{location.path}"
    return SshFileSystem(spec, root, _connect_options(spec, location))


def _connect_options(spec: RemoteSpec, location: Location) -> dict[str, Any]:
    options = spec.options
    timeout = int(options.get("timeout", 60))
    # () is asyncssh's own default: ~/.ssh/known_hosts; sshfs would put None there, which checks nothing
    connect: dict[str, Any] = {
        "host": location.host,
        "known_hosts": (),
        "connect_timeout": timeout,
        "login_timeout": timeout,
        "keepalive_interval": max(1, timeout // 3),
        "keepalive_count_max": 3,
        "agent_forwarding": False,
    }
    if "known_hosts" in options:
        connect["known_hosts"] = str(Path(str(options["known_hosts"])).expanduser())
    if location.port:
        connect["port"] = location.port
    if location.user:
        connect["username"] = location.user
    if "key_file" in options:
        connect["client_keys"] = [str(Path(str(options["key_file"])).expanduser())]
    if "password" in options:
        connect["password"] = str(options["password"])
    return connect


class SshFileSystem(RemoteFileSystem):
    """SFTP through sshfs. A lost connection is made anew, and what it interrupted is begun again."""

    protocol = "ssh"

    def __init__(self, spec: RemoteSpec, root: str, connect: dict[str, Any]) -> None:
        super().__init__(spec.name, jobs=int(spec.options.get("jobs", DEFAULT_JOBS)))
        self.root = root
        self._temporary = root
        self._connect = connect
        self._attempts = max(1, int(spec.options.get("retries", 5)))
        self._connection: Any = None
        self._guard = threading.Lock()

    @property
    def fs(self) -> Any:
        """The connection, made when there is none."""
        with self._guard:
            if self._connection is None:
                self._connection = SSHFileSystem(**self._connect, skip_instance_cache=True)
            return self._connection

    def _drop(self, connection: Any) -> None:
        with self._guard:
            if self._connection is connection:
                self._connection = None

    def _run(self, work: Callable[..., Awaitable[T]], *args: Any) -> T:
        with remote_errors(self.remote):
            for attempt in range(1, self._attempts + 1):
                connection = self._connection
                try:
                    connection = self.fs
                    return sync(connection.loop, work, connection, *args)  # type: ignore[no-any-return]
                except Exception as error:
                    if kind_of(error) != "remote-unreachable" or attempt == self._attempts:
                        raise
                self._drop(connection)
                time.sleep(_PAUSE * 2 ** (attempt - 1))
        raise AssertionError

    def size_of(self, path: str) -> int | None:
        return self._run(_size, path)

    def sizes_of(self, paths: Sequence[str], jobs: int) -> dict[str, int]:
        """One listing answers for a folder that many are asked of."""
        by_folder: dict[str, list[str]] = {}
        for path in paths:
            by_folder.setdefault(self.parent(path), []).append(path)
        found: dict[str, int] = {}
        single: list[str] = []
        for folder, members in by_folder.items():
            if len(members) < _SHARE:
                single += members
            else:
                listed = self._run(_list_folder, folder)
                found.update((path, listed[path]) for path in members if path in listed)
        return {**found, **super().sizes_of(single, jobs)}

    def list_sizes(self, folder: str, limit: int = 0) -> dict[str, int]:
        return self._run(_list_all, folder, limit)

    def read_small(self, path: str, limit: int) -> bytes:
        try:
            return self._run(_read, path, 0, limit)
        except FileNotFoundError:
            self._check_root()
            raise

    def _check_root(self) -> None:
        if not self._run(_is_folder, self.root) and not self._run(_is_folder, self.parent(self.root) or "."):
            hint = f"make it on the server: mkdir -p {self.root}"
            raise plain_error(self.remote, "remote-missing", hint=hint)

    def create_small(self, path: str, data: bytes) -> None:
        self._run(_create, self._temporary, path, data)

    def prepare(self, temporary: str) -> None:
        self._temporary = temporary
        self._run(_prepare, temporary)

    def send_one(self, upload: Upload, report: Report) -> None:
        with self.budget.take(min(upload.size, 3 * PART)):
            try:
                self._run(_put, self._temporary, upload, report)
            except RemoteError as error:
                if error.kind == "remote" and self._is_full():
                    raise plain_error(self.remote, "remote-full") from error
                raise

    def _is_full(self) -> bool:
        # OpenSSH says "Failure" for a full disk, without a reason
        try:
            return self._run(_free_bytes, self.root) < PART
        except (RemoteError, FileNotFoundError):
            return False

    def stream(self, path: str) -> Iterator[bytes]:
        start = 0
        while data := self._run(_read, path, start, _PIECE):
            yield data
            start += len(data)

    def get_file(self, from_info: str, to_info: str, callback: Any = None, **kwargs: Any) -> None:
        """Fetch one object; a size that was not promised is refused."""
        expected = self.promised.get(from_info)
        report = callback.relative_update if callback is not None else lambda _: None
        with self.budget.take(_PIECE if expected is None else min(expected, _PIECE)):
            found = self._run(_get, from_info, to_info, expected, report)
        if expected is not None and found != expected:
            raise wrong_size(object_of(from_info), found, expected)


@asynccontextmanager
async def _channel(connection: Any) -> AsyncIterator[Any]:
    async with connection._pool.get() as channel:
        yield channel


async def _size(connection: Any, path: str) -> int | None:
    async with _channel(connection) as channel:
        try:
            found = await channel.stat(path)
        except SFTPNoSuchFile:
            return None
        return int(found.size) if S_ISREG(found.permissions) else None


async def _is_folder(connection: Any, path: str) -> bool:
    async with _channel(connection) as channel:
        return bool(await channel.isdir(path))


async def _list_folder(connection: Any, folder: str) -> dict[str, int]:
    async with _channel(connection) as channel:
        try:
            entries = await channel.readdir(folder)
        except SFTPNoSuchFile:
            return {}
    return {f"{folder}/{entry.filename}": int(entry.attrs.size) for entry in entries if S_ISREG(entry.attrs.permissions)}


async def _list_all(connection: Any, folder: str, limit: int) -> dict[str, int]:
    found = await _list_folder(connection, folder)
    async with _channel(connection) as channel:
        try:
            names = sorted(name for name in await channel.listdir(folder) if len(name) == 2 and name not in ("..",))
        except SFTPNoSuchFile:
            return found
    for name in names:
        if limit and len(found) >= limit:
            break
        found.update(await _list_folder(connection, f"{folder}/{name}"))
    return found


async def _read(connection: Any, path: str, start: int, length: int) -> bytes:
    async with _channel(connection) as channel, channel.open(path, "rb", encoding=None) as file:
        try:
            return bytes(await file.read(length, start))
        except SFTPEOFError:
            return b""


async def _prepare(connection: Any, temporary: str) -> None:
    async with _channel(connection) as channel:
        for folder in (temporary.rpartition("/")[0], temporary):
            with suppress(SFTPFailure):
                await channel.mkdir(folder)
        for entry in await channel.readdir(temporary):
            if S_ISREG(entry.attrs.permissions) and entry.attrs.mtime < time.time() - _STALE:
                with suppress(asyncssh.SFTPError):
                    await channel.remove(f"{temporary}/{entry.filename}")


async def _create(connection: Any, folder: str, path: str, data: bytes) -> None:
    temporary = f"{folder}/{secrets.token_hex(16)}"
    async with _channel(connection) as channel:
        await _write(channel, temporary, iter([data]))
        try:
            await channel.link(temporary, path)
        except SFTPOpUnsupported:
            await _rename(channel, temporary, path)
            return
        except SFTPFailure:
            # another first push was quicker: its marker says the same
            pass
        await channel.remove(temporary)


async def _put(connection: Any, folder: str, upload: Upload, report: Report) -> None:
    # a new name for every attempt: the server may still hold the last one open
    temporary = f"{folder}/{secrets.token_hex(16)}"
    async with _channel(connection) as channel:
        try:
            await _write(channel, temporary, checked_pieces(upload, PART, report))
            with suppress(SFTPFailure):
                await channel.mkdir(upload.path.rpartition("/")[0].rpartition("/")[0])
            with suppress(SFTPFailure):
                await channel.mkdir(upload.path.rpartition("/")[0])
            await _rename(channel, temporary, upload.path)
        except BaseException:
            with suppress(Exception):
                await channel.remove(temporary)
            raise


async def _write(channel: Any, temporary: str, pieces: Iterator[bytes]) -> None:
    async with channel.open(temporary, "xb", encoding=None) as file:
        for piece in pieces:
            await file.write(piece)
        # without it a power cut on the server may leave an empty file under the object's name
        with suppress(SFTPOpUnsupported):
            await file.fsync()


async def _rename(channel: Any, temporary: str, path: str) -> None:
    try:
        await channel.posix_rename(temporary, path)
    except SFTPOpUnsupported:
        with suppress(SFTPNoSuchFile):
            await channel.remove(path)
        await channel.rename(temporary, path)


async def _get(connection: Any, path: str, target: str, expected: int | None, report: Report) -> int:
    async with _channel(connection) as channel, channel.open(path, "rb", encoding=None) as file:
        size = int((await file.stat()).size)
        if expected is not None and size != expected:
            return size
        received = 0
        with storage_errors("receiving an object"), open(target, "wb", buffering=0) as out:
            # asyncssh asks for every block of a read at once, also for those beyond the end
            while received < size and (data := await file.read(min(_PIECE, size - received), received)):
                write_all(out.fileno(), data)
                received += len(data)
                report(len(data))
    return received


async def _free_bytes(connection: Any, path: str) -> int:
    async with _channel(connection) as channel:
        found = await channel.statvfs(path)
        return int(found.bavail * found.frsize)
