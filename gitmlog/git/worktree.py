"""Writing the working tree's files as git would: atomically, durably, through no link."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from gitmlog.core.atomic import READ_FLAGS, hidden_name, open_folder, process_umask, replace_below, write_new
from gitmlog.core.errors import RefusedError
from gitmlog.core.session import Session
from gitmlog.git.merge import EXECUTABLE, LINK, Change, blob_as_file, keeps_links
from gitmlog.git.repository import GitRepo


def write_file(repo: GitRepo, temporary: Session, change: Change) -> None:
    """Replace `change.path` by what `change.new` says. A folder there goes when it holds no file.

    Raises:
        RefusedError: kind `link-in-path`.
        OSError: the disk is full or read-only; the file is as it was.
    """
    assert change.new is not None
    data, parts = blob_as_file(repo, change.path, change.new), tuple(change.path.split("/"))
    _remove_folders(repo.worktree, change.path)
    if change.new.mode == LINK and keeps_links(repo):
        _replace_by_link(repo.worktree, parts, data)
        return
    source, executable = temporary.name(), change.new.mode == EXECUTABLE
    write_new(source, data, mode=0o777 if executable else 0o666)
    replace_below(repo.worktree, parts, source, data)
    if executable:
        _make_executable(repo.worktree, parts)


def _make_executable(root: Path, parts: tuple[str, ...]) -> None:
    """On another file system than git's the bytes alone were taken over."""
    with _Folder(root, parts[:-1]) as folder:
        fd = os.open(parts[-1], READ_FLAGS, dir_fd=folder.fd)
        try:
            mode = os.fstat(fd).st_mode
            if not mode & 0o100:
                os.fchmod(fd, (mode | 0o111 & ~process_umask()) & 0o7777)
        finally:
            os.close(fd)


def _replace_by_link(root: Path, parts: tuple[str, ...], target: bytes) -> None:
    hidden = os.fsencode(hidden_name(parts[-1]))
    with _Folder(root, parts[:-1], create=True) as folder:
        with suppress(FileNotFoundError):
            os.unlink(hidden, dir_fd=folder.fd)
        os.symlink(target, hidden, dir_fd=folder.fd)
        os.rename(hidden, os.fsencode(parts[-1]), src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
        os.fsync(folder.fd)


def remove_file(root: Path, path: str) -> None:
    """Remove a file, and the folders that are empty then; what lies behind a link is not touched."""
    parts = tuple(path.split("/"))
    with suppress(FileNotFoundError), _Folder(root, parts[:-1]) as folder:
        os.unlink(parts[-1], dir_fd=folder.fd)
        os.fsync(folder.fd)
    remove_empty_above(root, path)


def remove_empty_above(root: Path, path: str) -> None:
    """Remove the folders that `path` was in, as far as they are empty; what lies behind a link is not touched."""
    parts = tuple(path.split("/"))
    for depth in range(len(parts) - 1, 0, -1):
        try:
            with _Folder(root, parts[: depth - 1]) as folder:
                os.rmdir(parts[depth - 1], dir_fd=folder.fd)
        except FileNotFoundError:
            continue
        except (OSError, RefusedError):
            return


def _remove_folders(root: Path, path: str) -> None:
    if os.path.isdir(root / path) and not os.path.islink(root / path):
        for folder, _, _ in os.walk(root / path, topdown=False):
            with suppress(OSError):
                os.rmdir(folder)


class _Folder:
    """A folder below `root`, opened without following a link."""

    def __init__(self, root: Path, parts: tuple[str, ...], *, create: bool = False) -> None:
        top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.fd = open_folder(top, parts, create=create)
        finally:
            os.close(top)

    def __enter__(self) -> _Folder:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self.fd)
