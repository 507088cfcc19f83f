"""Files that are there whole and durable, or not at all; descriptors that follow no link."""

from __future__ import annotations

import ctypes
import errno
import functools
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gitmlog.core.errors import GitmlogError, RefusedError, StorageError

DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def sync_filesystem(path: str | os.PathLike[str]) -> None:
    """Make everything written so far to the file system of `path` durable (syncfs(2)).

    Raises:
        OSError: the file system reports that something could not be written.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        syncfs = getattr(_libc(), "syncfs", None)
        if syncfs is None:
            os.sync()
        elif syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), os.fspath(path))
    finally:
        os.close(fd)


def sync_path(path: str | os.PathLike[str]) -> None:
    """fsync one file or folder."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of `data` to `fd`."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_atomic(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Replace `path` by `data`: temporary name, fsync, rename, fsync of the folder. `mode` is lessened by the umask."""
    temporary = path.with_name(f".{os.fsencode(path.name)[:200].decode('utf-8', 'ignore')}.{secrets.token_hex(6)}.tmp")
    fd = os.open(temporary, CREATE_FLAGS, mode)
    try:
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_path(path.parent)


def write_new(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Create `path`, which must not be there, with `data`, synced; its folder is not."""
    fd = os.open(path, CREATE_FLAGS, mode)
    try:
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_below(root: Path, parts: tuple[str, ...], source: Path, data: bytes) -> None:
    """Move the finished file `source`, whose content is `data`, to `parts` below `root`; no link on the way is followed.

    On another file system `data` is written beside the place, under a name that depends on nothing else: what a killed
    process left there is overwritten and moved by the next.
    """
    root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        folder = open_folder(root_fd, parts[:-1], create=True)
    finally:
        os.close(root_fd)
    try:
        try:
            os.rename(source, parts[-1], dst_dir_fd=folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _replace_beside(folder, parts[-1], data)
        os.fsync(folder)
    finally:
        os.close(folder)


def hidden_name(name: str) -> str:
    """Where a file called `name` is written, in its own folder, before it is whole."""
    return f".gitmlog-{hashlib.sha256(os.fsencode(name)).hexdigest()[:24]}"


def _replace_beside(folder: int, name: str, data: bytes) -> None:
    hidden = hidden_name(name)
    with suppress(FileNotFoundError):
        os.unlink(hidden, dir_fd=folder)
    fd = os.open(hidden, CREATE_FLAGS, 0o666, dir_fd=folder)
    try:
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(hidden, dir_fd=folder)
        raise


def make_folders(path: Path) -> None:
    """Create `path` and its parents; durable when a file in it is."""
    path.mkdir(parents=True, exist_ok=True)


def rename_below(root: Path, old: tuple[str, ...], new: tuple[str, ...]) -> None:
    """Rename `old` to `new`, both below `root`, folders made as needed; no link on the way is followed. Durable.

    Raises:
        RefusedError: kind `link-in-path`.
        OSError: EXDEV where they are on two file systems; nothing was changed.
    """
    root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    folders: list[int] = []
    try:
        folders.append(open_folder(root_fd, old[:-1]))
        folders.append(open_folder(root_fd, new[:-1], create=True))
        os.rename(old[-1], new[-1], src_dir_fd=folders[0], dst_dir_fd=folders[1])
        for folder in folders:
            os.fsync(folder)
    finally:
        for fd in (root_fd, *folders):
            os.close(fd)


def open_folder(root_fd: int, parts: tuple[str, ...], *, create: bool = False) -> int:
    """A descriptor of the folder `parts` below `root_fd`, following no link on the way. The caller closes it.

    Raises:
        RefusedError: a component is a symbolic link or no folder.
        FileNotFoundError: a component is missing and `create` is false.
    """
    fd = os.dup(root_fd)
    for depth, name in enumerate(parts):
        try:
            child = _open_child(fd, name, create)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                where = "/".join(parts[: depth + 1])
                raise RefusedError(
                    f"{where} is a symbolic link or a file where a folder is expected",
                    kind="link-in-path",
                    hint="move it away, then run the command again",
                ) from error
            raise
        finally:
            os.close(fd)
        fd = child
    return fd


def _open_child(fd: int, name: str, create: bool) -> int:
    if create:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=fd)
    return os.open(name, DIRECTORY_FLAGS, dir_fd=fd)


def read_plain(path: str | os.PathLike[str], limit: int) -> bytes:
    """The bytes of a plain file that anybody may have put there; nothing is waited for.

    Raises:
        FileNotFoundError: it is not there.
        OSError: it is a link, a pipe, a folder or a device (EINVAL, ELOOP, …), or has more than `limit` bytes (EFBIG).
    """
    with open(os.open(path, READ_FLAGS), "rb") as stream:
        info = os.fstat(stream.fileno())
        if not is_regular(info):
            raise OSError(errno.EINVAL, "no plain file", os.fspath(path))
        data = stream.read(limit + 1) if info.st_size <= limit else b""
        if info.st_size > limit or len(data) > limit:
            raise OSError(errno.EFBIG, f"more than {limit:,} bytes", os.fspath(path))
        return data


def is_regular(info: os.stat_result) -> bool:
    """Whether a stat is that of a plain file."""
    return stat.S_ISREG(info.st_mode)


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn an OSError of this machine's disk into a StorageError that says what was being done.

    Raises:
        StorageError: kinds `disk-full`, `read-only`, `no-permission`, `storage`.
    """
    try:
        yield
    except OSError as error:
        raise _storage_error(what, error) from error


def _storage_error(what: str, error: OSError) -> GitmlogError:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free some space (`gitmlog gc` lists what can go), then run the command again: nothing was lost"
        return StorageError(f"the disk is full while {what}{where}", kind="disk-full", hint=hint)
    if error.errno == errno.EROFS:
        return StorageError(f"the disk is read-only while {what}{where}", kind="read-only", hint="make it writable")
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = "check the owner and the permissions of that path"
        return StorageError(f"no permission while {what}{where}", kind="no-permission", hint=hint)
    hint = "run `gitmlog doctor`, then the command again"
    return StorageError(f"{error.strerror or error} while {what}{where}", hint=hint)


def process_umask() -> int:
    """The bits that new files of this process do not get.

    Where the kernel does not tell, reading it means setting it for a moment, in which other threads' files get all bits.
    """
    with suppress(OSError), open("/proc/self/status", encoding="utf-8", errors="replace") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    mask = os.umask(0)
    os.umask(mask)
    return mask
