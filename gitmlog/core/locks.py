"""Locks that the kernel frees when their process dies (flock): none is ever left to delete by hand."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitmlog.core.errors import GitmlogError
from gitmlog.core.progress import SILENT, Progress

_POLL = 0.05
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""A lock is a plain file: a link would make one elsewhere, a pipe would be waited for."""


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: float = 600.0, progress: Progress = SILENT) -> Iterator[None]:
    """Hold the lock file `path`, exclusively or `shared`, for at most `wait` seconds of waiting.

    Raises:
        GitmlogError: kind `locked`, when another process held it all that time.
    """
    fd = _open_lock(path, shared)
    if fd is None:
        yield
        return
    try:
        _acquire(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, path, wait, progress)
        yield
    finally:
        os.close(fd)


def _open_lock(path: Path, shared: bool) -> int | None:
    """None: a reader of a read-only place, where nobody can write either, needs no lock."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, _FLAGS | os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if not shared or error.errno not in (errno.EROFS, errno.EACCES):
            raise
    try:
        return os.open(path, _FLAGS | os.O_RDONLY)
    except OSError:
        return None


def _acquire(fd: int, kind: int, path: Path, wait: float, progress: Progress) -> None:
    if _try(fd, kind):
        return
    progress.note(f"waiting for another gitmlog that holds {path}")
    deadline = time.monotonic() + wait
    while not _try(fd, kind):
        if time.monotonic() > deadline:
            hint = "wait for it to end, or look for it with `ps`; the lock goes when its process does"
            raise GitmlogError(f"another gitmlog holds {path} for more than {wait:g} s", kind="locked", hint=hint)
        time.sleep(_POLL)


def _try(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock file `path` (its owner has ended). What is no plain file was made by nobody who locks it."""
    try:
        fd = os.open(path, _FLAGS | os.O_RDONLY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENOTDIR):
            return True
        raise
    try:
        return _try(fd, fcntl.LOCK_SH)  # shared: two that look at once are not each other's owner
    finally:
        os.close(fd)
