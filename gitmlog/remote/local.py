"""A folder as a remote: a mounted share, a disk, a test."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from dvc_objects.fs.local import FsspecLocalFileSystem

from gitmlog.core.atomic import CREATE_FLAGS, sync_filesystem, sync_path, write_all
from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import DataError, GitmlogError
from gitmlog.remote.errors import plain_error, remote_errors, wrong_size
from gitmlog.remote.filesystem import DEFAULT_JOBS, PART, RemoteFileSystem, Report, Upload, checked_pieces
from gitmlog.remote.layout import object_of

_FEW = 16
_BATCH = 2000
_PIECE = 1 << 20
_STALE = 7 * 24 * 3600


class FolderFileSystem(RemoteFileSystem):
    """A folder of this machine. Its parent must exist; the folder itself is made by the first upload."""

    protocol = "local"
    PARAM_CHECKSUM = "md5"

    def __init__(self, remote: str, root: str, *, jobs: int = DEFAULT_JOBS) -> None:
        super().__init__(remote, FsspecLocalFileSystem(), jobs=jobs)
        self.root = Path(root)
        self._temporary = self.root

    def _check_root(self) -> None:
        if not self.root.is_dir() and not self.root.parent.is_dir():
            hint = f"mount it, or make its parent: mkdir -p {self.root.parent}"
            raise plain_error(self.remote, "remote-missing", hint=hint)

    def size_of(self, path: str) -> int | None:
        with remote_errors(self.remote), suppress(FileNotFoundError):
            return os.stat(path).st_size
        return None

    def sizes_of(self, paths: Sequence[str], jobs: int) -> dict[str, int]:
        return {path: size for path in paths if (size := self.size_of(path)) is not None}

    def list_sizes(self, folder: str, limit: int = 0) -> dict[str, int]:
        found: dict[str, int] = {}
        with remote_errors(self.remote):
            for parent, _, names in os.walk(folder):
                for name in names:
                    with suppress(FileNotFoundError):
                        found[f"{parent}/{name}"] = os.stat(f"{parent}/{name}").st_size
                if limit and len(found) >= limit:
                    break
        return found

    def read_small(self, path: str, limit: int) -> bytes:
        with remote_errors(self.remote):
            self._check_root()
            with open(path, "rb") as file:
                return file.read(limit)

    def create_small(self, path: str, data: bytes) -> None:
        temporary = f"{path}.{secrets.token_hex(8)}.tmp"
        with remote_errors(self.remote):
            Path(temporary).write_bytes(data)
            sync_path(temporary)
            _rename_new(temporary, path)
            sync_path(self.root)

    def prepare(self, temporary: str) -> None:
        with remote_errors(self.remote):
            self._check_root()
            self._temporary = Path(temporary)
            self._temporary.mkdir(parents=True, exist_ok=True)
            _remove_stale(self._temporary)

    def stream(self, path: str) -> Iterator[bytes]:
        with open(path, "rb", buffering=0) as file:
            while data := file.read(_PIECE):
                yield data

    def get_file(self, from_info: str, to_info: str, callback: Any = None, **kwargs: Any) -> None:
        """Copy one object out; a size that was not promised is refused."""
        size = self.size_of(from_info)
        expected = self.promised.get(from_info, size)
        if size is not None and size != expected:
            raise wrong_size(object_of(from_info), size, expected or 0)
        with remote_errors(self.remote), open(to_info, "wb", buffering=0) as target:
            for piece in self.stream(from_info):
                write_all(target.fileno(), piece)
                if callback is not None:
                    callback.relative_update(len(piece))

    def send_one(self, upload: Upload, report: Report) -> None:
        failures = self.send_all([upload], 1, report)
        if failures:
            raise failures[upload.oid]

    def send_all(self, uploads: Sequence[Upload], jobs: int, report: Report) -> dict[ObjectId, GitmlogError]:
        failures: dict[ObjectId, GitmlogError] = {}
        with remote_errors(self.remote):
            for start in range(0, len(uploads), _BATCH):
                self._send_batch(uploads[start : start + _BATCH], report, failures)
        return failures

    def _send_batch(self, uploads: Sequence[Upload], report: Report, failures: dict[ObjectId, GitmlogError]) -> None:
        written: list[tuple[str, str]] = []
        try:
            for upload in uploads:
                temporary = f"{self._temporary}/{secrets.token_hex(16)}"
                written.append((temporary, upload.path))
                try:
                    _copy(upload, temporary, report)
                except DataError as error:
                    failures[upload.oid] = error
                    os.unlink(temporary)
                    written.pop()
            self._publish(written)
        except BaseException:
            for temporary, _ in written:
                with suppress(OSError):
                    os.unlink(temporary)
            raise

    def _publish(self, written: Sequence[tuple[str, str]]) -> None:
        self._sync([temporary for temporary, _ in written])
        folders = {os.path.dirname(path) for _, path in written}
        for folder in folders:
            os.makedirs(folder, exist_ok=True)
        for temporary, path in written:
            os.rename(temporary, path)
        self._sync([*folders, *{os.path.dirname(folder) for folder in folders}, str(self.root)] if written else [])

    def _sync(self, paths: Sequence[str]) -> None:
        if len(paths) > _FEW:
            sync_filesystem(self.root)
        else:
            for path in paths:
                sync_path(path)


def _rename_new(temporary: str, path: str) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError:
        # a file system without hard links: two first pushes at once write the same text anyway
        os.rename(temporary, path)
        return
    os.unlink(temporary)


def _copy(upload: Upload, temporary: str, report: Report) -> None:
    fd = os.open(temporary, CREATE_FLAGS, 0o444)
    try:
        for piece in checked_pieces(upload, PART, report):
            write_all(fd, piece)
    finally:
        os.close(fd)


def _remove_stale(folder: Path) -> None:
    import time

    oldest = time.time() - _STALE
    for entry in os.scandir(folder):
        with suppress(OSError):
            if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < oldest:
                os.unlink(entry.path)
