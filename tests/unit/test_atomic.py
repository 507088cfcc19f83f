"""Files that are there whole, or not at all; folders that follow no link."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from gitmlog.core import atomic
from gitmlog.core.atomic import make_folders, open_folder, storage_errors, sync_filesystem, sync_path, write_all, write_atomic
from gitmlog.core.errors import RefusedError, StorageError


def test_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a"
    for data in (b"", b"one", b"x" * (1 << 20)):
        write_atomic(target, data)
        assert target.read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("step", ["write_all", "fsync", "rename"])
def test_a_failure_leaves_the_old_file_and_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(atomic if step == "write_all" else os, step, fail)
    with pytest.raises(OSError, match="full"):
        write_atomic(target, b"new")
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_it_is_synced_before_it_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File, rename, folder: in this order."""
    happened: list[str] = []
    real_sync, real_rename = os.fsync, os.rename

    def sync(fd: int) -> None:
        happened.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        real_sync(fd)

    def rename(*names: str) -> None:
        happened.append("rename")
        real_rename(*names)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "rename", rename)
    write_atomic(tmp_path / "a", b"x")
    assert happened == ["file", "rename", "folder"]


def test_a_name_of_255_bytes_can_be_written(tmp_path: Path) -> None:
    write_atomic(tmp_path / ("x" * 255), b"x")
    write_atomic(tmp_path / ("é" * 127), b"x")


def test_a_link_is_replaced_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    (tmp_path / "link").symlink_to(outside)
    write_atomic(tmp_path / "link", b"new")
    assert outside.read_bytes() == b"mine"
    assert not (tmp_path / "link").is_symlink()


def test_the_mode_obeys_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a", b"x")
        write_atomic(tmp_path / "b", b"x", mode=0o600)
    finally:
        os.umask(previous)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [0o640, 0o600]


def test_short_writes_are_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:3]))
    fd = os.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT)
    write_all(fd, b"0123456789")
    os.close(fd)
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_a_folder_is_opened_and_made(tmp_path: Path) -> None:
    root = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(FileNotFoundError):
            open_folder(root, ("a", "b"))
        fd = open_folder(root, ("a", "b"), create=True)
        assert os.path.samestat(os.fstat(fd), os.stat(tmp_path / "a" / "b"))
        os.close(fd)
    finally:
        os.close(root)


@pytest.mark.parametrize("what", ["link", "file"])
@pytest.mark.parametrize("depth", [0, 1])
def test_a_link_or_a_file_on_the_way_is_refused(tmp_path: Path, what: str, depth: int) -> None:
    parts = ("a", "b", "c")
    make_folders(tmp_path / "real" / "b" / "c")
    where = tmp_path.joinpath(*parts[:depth])
    where.mkdir(parents=True, exist_ok=True)
    if what == "link":
        (where / parts[depth]).symlink_to(tmp_path / "real")
    else:
        (where / parts[depth]).write_bytes(b"")
    root = os.open(tmp_path, os.O_RDONLY)
    before = len(os.listdir("/proc/self/fd"))
    try:
        with pytest.raises(RefusedError) as caught:
            open_folder(root, parts, create=True)
        assert caught.value.kind == "link-in-path"
        assert caught.value.message.startswith("/".join(parts[: depth + 1]))
        assert len(os.listdir("/proc/self/fd")) == before
    finally:
        os.close(root)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, "disk-full"),
        (errno.EDQUOT, "disk-full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "no-permission"),
        (errno.EPERM, "no-permission"),
        (errno.EIO, "storage"),
    ],
)
def test_errors_of_the_disk_say_what_was_done(number: int, kind: str) -> None:
    with pytest.raises(StorageError) as caught, storage_errors("adding"):
        raise OSError(number, os.strerror(number), "some/file")
    assert caught.value.kind == kind
    assert "while adding" in caught.value.message
    assert "some/file" in caught.value.message
    assert caught.value.hint


def test_everything_can_be_synced(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    sync_path(tmp_path / "a")
    sync_path(tmp_path)
    sync_filesystem(tmp_path)
