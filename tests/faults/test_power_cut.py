"""The power goes right after a command returned: nothing that it acknowledged is lost.

Twenty cuts over add, add again, push, pull, checkout, mv, rm and remote add. The disk is a real ext4 (see disks.Disk for why the
copy of its image is what a disk would hold); a control shows that the method does see what other programs lose.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from disks import Disk, ext4, require_mounts
from helpers import GITMLOG, assert_git_whole, assert_named_is_whole, assert_store_whole, call

pytestmark = pytest.mark.long

BYTES = random.Random(11)
BIG = BYTES.randbytes(5 << 20)
MANY = {f"data/{index % 5}/{index}": BYTES.randbytes(500) for index in range(60)}
FEW = {f"few/{index}": BYTES.randbytes(500) for index in range(3)}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    require_mounts()
    with ext4(tmp_path / "machine") as mounted:
        yield mounted


def gitmlog(cwd: Path, *arguments: str) -> None:
    done = call([*GITMLOG, *arguments], cwd)
    assert done.returncode == 0, done


def git(cwd: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True).stdout


def write(root: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def start(disk: Disk, files: dict[str, bytes]) -> Path:
    """A repository with the user's files, all of it on the disk: only what gitmlog does from here on is at stake."""
    root = disk.root / "repo"
    git(disk.root, "init", "-q", "repo")
    git(root, "commit", "-q", "--allow-empty", "-m", "start")
    write(root, files)
    os.sync()
    return root


def with_remote(disk: Disk, root: Path) -> None:
    (root / ".git/gitmlog").mkdir(exist_ok=True)
    (root / ".git/gitmlog/config.toml").write_text(f'[remote.origin]\nurl = "{disk.root}/remote"\n')


def acknowledged(root: Path) -> dict[str, bytes]:
    """What a user may rely on once `add` has said so: the text files and what is staged."""
    texts = {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and (path.suffix == ".gitmlog" or path.name == ".gitignore") and ".git" not in path.parts
    }
    return texts | {"(index)": git(root, "ls-files", "--stage").encode()}


def check_after_cut(disk: Disk, tmp_path: Path, *more: Callable[[Path], None]) -> None:
    expected = acknowledged(disk.root / "repo")
    with disk.after_power_cut(tmp_path / "after") as mounted:
        root = mounted / "repo"
        assert acknowledged(root) == expected
        assert_git_whole(root)
        assert_store_whole(root / ".git/gitmlog/cache")
        assert_named_is_whole(root)
        for check in more:
            check(mounted)


def holds(files: dict[str, bytes]) -> Callable[[Path], None]:
    """The working tree has these files, whole."""

    def check(mounted: Path) -> None:
        for name, data in files.items():
            assert (mounted / "repo" / name).read_bytes() == data, name

    return check


def test_control_what_is_not_synced_is_lost(disk: Disk, tmp_path: Path) -> None:
    (disk.root / "before").write_text("before")
    os.sync()
    (disk.root / "plain").write_text("not synced")
    os.rename(disk.root / "before", disk.root / "renamed")
    shutil.copy(disk.root / "plain", disk.root / "copied")
    with disk.after_power_cut(tmp_path / "after") as mounted:
        assert sorted(path.name for path in mounted.iterdir()) == ["before", "lost+found"]


def test_control_git_alone_loses_a_commit(disk: Disk, tmp_path: Path) -> None:
    root = start(disk, {"a": b"a"})
    git(root, "add", "a")
    git(root, "commit", "-q", "-m", "lost")
    with disk.after_power_cut(tmp_path / "after") as mounted:
        done = call(["git", "log", "-1", "--format=%s"], mounted / "repo")
        assert done.stdout.strip() != b"lost"


FILES = {
    "empty": {"m.bin": b""},
    "small": {"m.bin": b"small"},
    "large": {"m.bin": BIG},
    "in-a-folder": {"a/b/m.bin": b"x" * 100_000},
}


@pytest.mark.parametrize("files", FILES.values(), ids=FILES)
def test_add_of_a_file(disk: Disk, tmp_path: Path, files: dict[str, bytes]) -> None:
    root = start(disk, files)
    gitmlog(root, "add", *files)
    check_after_cut(disk, tmp_path, holds(files))


@pytest.mark.parametrize("files", [FEW, MANY], ids=["few", "many"])
def test_add_of_a_directory(disk: Disk, tmp_path: Path, files: dict[str, bytes]) -> None:
    root = start(disk, files)
    gitmlog(root, "add", "data" if files is MANY else "few")
    check_after_cut(disk, tmp_path, holds(files))


def test_add_again(disk: Disk, tmp_path: Path) -> None:
    root = start(disk, {"m.bin": b"first", **MANY})
    gitmlog(root, "add", "m.bin", "data")
    os.sync()
    changed = {"m.bin": BIG, "data/0/0": b"changed", "data/new": b"new"}
    write(root, changed)
    os.sync()
    gitmlog(root, "add", "m.bin", "data")
    check_after_cut(disk, tmp_path, holds(changed))


def test_add_of_a_part(disk: Disk, tmp_path: Path) -> None:
    root = start(disk, MANY)
    gitmlog(root, "add", "data")
    write(root, {"data/9/new": b"new"})
    os.sync()
    gitmlog(root, "add", "data/9/new")
    check_after_cut(disk, tmp_path)


def test_add_after_a_killed_add(disk: Disk, tmp_path: Path) -> None:
    """What a killed process had renamed, but not synced, is not taken for durable."""
    root = start(disk, {"m.bin": BIG})
    inject = "inject=fsync,syncfs:signal=SIGKILL:when=2"
    killed = call(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,syncfs", "-e", inject, *GITMLOG, "add", "m.bin"], root
    )
    assert killed.returncode == -9
    gitmlog(root, "add", "m.bin")
    check_after_cut(disk, tmp_path, holds({"m.bin": BIG}))


def test_cut_while_the_index_is_locked(disk: Disk, tmp_path: Path) -> None:
    """Killed with git's index.lock in place, and the disk goes down too: the next command knows that the lock is nobody's."""
    root = start(disk, {"m.bin": b"first"})
    inject = "inject=unlink:signal=SIGKILL:when=1"
    lock = root / ".git/index.lock"
    trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(lock), "-e", "trace=unlink", "-e", inject]
    assert call([*trace, *GITMLOG, "add", "m.bin"], root).returncode == -9
    assert lock.exists()
    subprocess.run(["python3", "-c", f"import os; os.fsync(os.open({str(root / '.git')!r}, os.O_RDONLY))"], check=True)
    with disk.after_power_cut(tmp_path / "after") as mounted:
        assert (mounted / "repo/.git/index.lock").exists()
        gitmlog(mounted / "repo", "add", "m.bin")
        assert_git_whole(mounted / "repo")
        assert_named_is_whole(mounted / "repo")


def test_add_with_links(disk: Disk, tmp_path: Path) -> None:
    """The user's own file is replaced by a link into the cache: the only other copy had better be durable."""
    root = start(disk, {"m.bin": BIG})
    gitmlog(root, "add", "--link", "hardlink", "m.bin")
    check_after_cut(disk, tmp_path, holds({"m.bin": BIG}))


@pytest.mark.parametrize("files", [{"m.bin": BIG}, MANY], ids=["file", "directory"])
def test_push(disk: Disk, tmp_path: Path, files: dict[str, bytes]) -> None:
    root = start(disk, files)
    gitmlog(root, "add", "data" if files is MANY else "m.bin")
    with_remote(disk, root)
    os.sync()
    gitmlog(root, "push")

    def remote_has_all(mounted: Path) -> None:
        def names(store: Path) -> set[str]:
            return {path.parent.name + path.name for path in (store / "objects").glob("??/*")}

        assert names(mounted / "remote") == names(mounted / "repo/.git/gitmlog/cache")
        assert_store_whole(mounted / "remote")
        assert (mounted / "remote/gitmlog-remote.toml").read_text().startswith("version = 1")

    check_after_cut(disk, tmp_path, remote_has_all)


def lose_data(root: Path) -> None:
    """As in a fresh clone: metafiles only."""
    shutil.rmtree(root / ".git/gitmlog/cache")
    shutil.rmtree(root / "data", ignore_errors=True)
    (root / "m.bin").unlink(missing_ok=True)


@pytest.mark.parametrize("files", [{"m.bin": BIG}, MANY], ids=["file", "directory"])
def test_pull(disk: Disk, tmp_path: Path, files: dict[str, bytes]) -> None:
    root = start(disk, files)
    gitmlog(root, "add", "data" if files is MANY else "m.bin")
    with_remote(disk, root)
    gitmlog(root, "push")
    lose_data(root)
    os.sync()
    gitmlog(root, "pull")
    check_after_cut(disk, tmp_path, holds(files))


@pytest.mark.parametrize("files", [{"m.bin": BIG}, MANY], ids=["file", "directory"])
def test_checkout(disk: Disk, tmp_path: Path, files: dict[str, bytes]) -> None:
    root = start(disk, files)
    gitmlog(root, "add", "data" if files is MANY else "m.bin")
    for name in files:
        (root / name).write_bytes(b"damaged by the user")
    os.sync()
    gitmlog(root, "checkout", "--force")
    check_after_cut(disk, tmp_path, holds(files))


def test_checkout_of_a_revision(disk: Disk, tmp_path: Path) -> None:
    root = start(disk, {"m.bin": BIG})
    gitmlog(root, "add", "m.bin")
    git(root, "commit", "-q", "-m", "first")
    (root / "m.bin").write_bytes(b"second")
    gitmlog(root, "add", "m.bin")
    git(root, "commit", "-q", "-m", "second")
    os.sync()
    gitmlog(root, "checkout", "--rev", "HEAD~1", "m.bin")
    check_after_cut(disk, tmp_path, holds({"m.bin": BIG}))


def test_mv(disk: Disk, tmp_path: Path) -> None:
    root = start(disk, MANY)
    gitmlog(root, "add", "data")
    os.sync()
    gitmlog(root, "mv", "data", "sub/moved")
    check_after_cut(disk, tmp_path, holds({name.replace("data/", "sub/moved/"): data for name, data in MANY.items()}))


def test_rm(disk: Disk, tmp_path: Path) -> None:
    root = start(disk, {"m.bin": BIG})
    gitmlog(root, "add", "m.bin")
    os.sync()
    gitmlog(root, "rm", "m.bin")
    check_after_cut(disk, tmp_path)


def test_gc(disk: Disk, tmp_path: Path) -> None:
    """What gc lets go is gone or not; what anything names is there."""
    root = start(disk, {"m.bin": BIG, **MANY})
    gitmlog(root, "add", "m.bin", "data")
    (root / "m.bin").write_bytes(b"second")
    gitmlog(root, "add", "m.bin")
    os.sync()
    gitmlog(root, "gc", "--prune", "--unpushed", "--grace", "0")
    check_after_cut(disk, tmp_path, holds({"m.bin": b"second", **MANY}))


def test_remote_add(disk: Disk, tmp_path: Path) -> None:
    root = start(disk, {})
    gitmlog(root, "remote", "add", "origin", str(disk.root / "remote"))
    text = (root / ".gitmlog/config.toml").read_bytes()
    head = git(root, "rev-parse", "HEAD")

    def committed(mounted: Path) -> None:
        assert git(mounted / "repo", "rev-parse", "HEAD") == head
        assert git(mounted / "repo", "show", "HEAD:.gitmlog/config.toml").encode() == text
        assert (mounted / "repo/.gitmlog/config.toml").read_bytes() == text

    check_after_cut(disk, tmp_path, committed)


def test_cache_on_another_disk(disk: Disk, tmp_path: Path) -> None:
    with ext4(tmp_path / "second") as second:
        root = start(disk, {"m.bin": BIG, **MANY})
        (root / ".git/gitmlog").mkdir()
        (root / ".git/gitmlog/config.toml").write_text(f'[cache]\ndir = "{second.root}/cache"\n')
        os.sync()
        gitmlog(root, "add", "m.bin", "data")
        expected = acknowledged(root)
        objects = {path.name for path in (second.root / "cache/objects").glob("??/*")}
        with disk.after_power_cut(tmp_path / "after"), second.after_power_cut(tmp_path / "after2") as other:
            assert acknowledged(tmp_path / "after/mounted/repo") == expected
            assert_store_whole(other / "cache")
            assert {path.name for path in (other / "cache/objects").glob("??/*")} == objects
