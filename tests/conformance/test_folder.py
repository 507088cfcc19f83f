"""What only a folder has: a disk that is full or read-only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitmlog.core.errors import RemoteError
from gitmlog.remote.base import RemoteSpec
from gitmlog.remote.open import open_remote

from .places import RawFolder, Side

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting wants root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine mounts no tmpfs")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.long
def test_a_full_disk_leaves_nothing_half(small_disk: Path, here: Side):
    remote = open_remote(RemoteSpec("origin", str(small_disk / "remote")))
    small = here.put(b"small")
    remote.send(here.db, small)
    large = here.put(os.urandom(6 * MIB))
    with pytest.raises(RemoteError) as caught:
        remote.send(here.db, [*small, *large])
    assert caught.value.kind == "remote-full"
    raw = RawFolder(small_disk / "remote")
    assert raw.keys() == {"gitmlog-remote.toml", f"objects/{small[0][:2]}/{small[0][2:]}"}
    assert remote.exist([*small, *large]) == set(small)


@pytest.mark.long
def test_a_read_only_disk(small_disk: Path, here: Side):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(RemoteError) as caught:
        open_remote(RemoteSpec("origin", str(small_disk / "remote"))).send(here.db, here.put(b"abc"))
    assert caught.value.kind == "remote-read-only"


def test_objects_are_read_only_files(tmp_path: Path, here: Side):
    (oid,) = here.put(b"abc")
    open_remote(RemoteSpec("origin", str(tmp_path / "remote"))).send(here.db, [oid])
    assert (tmp_path / "remote" / "objects" / oid[:2] / oid[2:]).stat().st_mode & 0o222 == 0
