"""Small file systems to fill, to cut the power of, and to throw away."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1 << 20


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout.strip()


def require_mounts() -> None:
    """Skip with a reason where file systems cannot be mounted; in CI as root that is a failure, not a reason."""
    missing = [tool for tool in ("mount", "mkfs.ext4", "losetup") if shutil.which(tool) is None]
    if os.geteuid() != 0:
        pytest.skip("mounting a file system wants root")
    if missing and not os.environ.get("CI"):
        pytest.skip(f"not installed: {', '.join(missing)} (apt-get install mount e2fsprogs)")
    assert not missing, f"CI lacks {missing}"


@contextmanager
def tmpfs(folder: Path, size: int) -> Iterator[Path]:
    """A file system in memory of `size` bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))


@contextmanager
def _attached(image: Path, *options: str) -> Iterator[str]:
    device = _run("losetup", "-f", "--show", *options, str(image))
    try:
        yield device
    finally:
        _run("losetup", "-d", device)


class Disk:
    """An ext4 file system in a file.

    What a program has written lies in the page cache of the mounted file system until something syncs it or half a minute
    has gone. The loop device is opened with direct-io, so it has no cache of its own: what reaches the device is in the
    image file, and what only the page cache knows is not. Copying the image file therefore takes what a disk would hold at
    a power cut at that moment. `commit=600` keeps ext4's own timer (5 s) from saving what was not synced.
    """

    def __init__(self, image: Path, root: Path) -> None:
        self.image = image
        self.root = root

    @contextmanager
    def after_power_cut(self, folder: Path) -> Iterator[Path]:
        """What is there when the machine comes up again: a copy of the image, mounted, so that its journal is replayed."""
        copy = folder / "copy.img"
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "--sparse=always", str(self.image), str(copy)], check=True)
        root = folder / "mounted"
        root.mkdir(exist_ok=True)
        with _attached(copy) as device:
            _run("mount", "-t", "ext4", device, str(root))
            try:
                yield root
            finally:
                _run("umount", str(root))
        copy.unlink()


@contextmanager
def ext4(folder: Path, size: int = 96 * MIB) -> Iterator[Disk]:
    """A fresh ext4, mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    image, root = folder / "disk.img", folder / "disk"
    root.mkdir()
    with open(image, "wb") as file:
        file.truncate(size)
    _run("mkfs.ext4", "-q", "-F", str(image))
    with _attached(image, "--direct-io=on") as device:
        assert _run("losetup", "-n", "-O", "DIO", "-l", device).strip() == "1", "no direct-io here: the copy would prove nothing"
        _run("mount", "-t", "ext4", "-o", "commit=600", device, str(root))
        try:
            yield Disk(image, root)
        finally:
            _run("umount", str(root))
    image.unlink()
