"""The disk is full: a clear error, nothing lost, nothing half-visible; with room again the same command succeeds.

The repository lies on a small tmpfs. A first run on an empty one measures how much the command takes; then it runs with only a
part of that free: 32 levels from nothing to a little more than enough.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from disks import MIB, require_mounts, tmpfs
from helpers import (
    GITMLOG,
    assert_git_whole,
    assert_named_is_whole,
    assert_no_traces,
    assert_store_whole,
    call,
    status_of,
    visible,
)

from tests.conftest import Sandbox

LEVELS = 32
SIZE = 24 * MIB
PAGE = 4096
BYTES = random.Random(3)
BIG = {"big.bin": BYTES.randbytes(5 << 20)}
MANY = {f"data/{index % 4}/{index}": BYTES.randbytes(3000) for index in range(120)}


def gitmlog(cwd: Path, *arguments: str) -> None:
    done = call([*GITMLOG, *arguments], cwd)
    assert done.returncode == 0, done


def git(cwd: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True)


def write(root: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


@dataclass(frozen=True)
class Case:
    """A command on a disk that fills up: how its repository is made, and the user's files before and after."""

    prepare: Callable[[Path, Path], None]
    command: list[str]
    before: dict[str, bytes]
    after: dict[str, bytes]


def to_add(files: dict[str, bytes]) -> Callable[[Path, Path], None]:
    def prepare(root: Path, outside: Path) -> None:
        git(root.parent, "init", "-q", str(root))
        write(root, files)

    return prepare


def to_checkout(files: dict[str, bytes], path: str) -> Callable[[Path, Path], None]:
    def prepare(root: Path, outside: Path) -> None:
        to_add(files)(root, outside)
        gitmlog(root, "add", path)
        shutil.rmtree(root / "data", ignore_errors=True)
        (root / "big.bin").unlink(missing_ok=True)

    return prepare


def to_replace(root: Path, outside: Path) -> None:
    """A larger version comes out of the cache over a small one."""
    to_add(BIG)(root, outside)
    gitmlog(root, "add", "big.bin")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "large")
    write(root, {"big.bin": b"small"})
    gitmlog(root, "add", "big.bin")
    git(root, "commit", "-q", "-m", "small")
    git(root, "checkout", "-q", "HEAD~1", "--", "big.bin.gitmlog")


def to_pull(files: dict[str, bytes], path: str) -> Callable[[Path, Path], None]:
    def prepare(root: Path, outside: Path) -> None:
        to_add(files)(root, outside)
        (root / ".git/gitmlog").mkdir()
        (root / ".git/gitmlog/config.toml").write_text(f'[remote.origin]\nurl = "{outside}/remote"\n')
        gitmlog(root, "add", path)
        gitmlog(root, "push")
        shutil.rmtree(root / ".git/gitmlog/cache")
        shutil.rmtree(root / "data", ignore_errors=True)
        (root / "big.bin").unlink(missing_ok=True)

    return prepare


CASES = {
    "add-file": Case(to_add(BIG), ["add", "big.bin"], BIG, BIG),
    "add-directory": Case(to_add(MANY), ["add", "data"], MANY, MANY),
    "checkout-file": Case(to_checkout(BIG, "big.bin"), ["checkout"], {}, BIG),
    "checkout-replaced": Case(to_replace, ["checkout"], {"big.bin": b"small"}, BIG),
    "checkout-directory": Case(to_checkout(MANY, "data"), ["checkout"], {}, MANY),
    "pull-file": Case(to_pull(BIG, "big.bin"), ["pull"], {}, BIG),
    "pull-directory": Case(to_pull(MANY, "data"), ["pull"], {}, MANY),
}


def used(disk: Path) -> int:
    info = os.statvfs(disk)
    return (info.f_blocks - info.f_bfree) * info.f_frsize


def restore(template: Path, root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["cp", "-a", str(template), str(root)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Take up all but `leave` bytes."""
    ballast = disk / "ballast"
    info = os.statvfs(disk)
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(info.f_bavail * info.f_frsize - leave, PAGE))
    return ballast


def check_whole(root: Path, case: Case, *, strict: bool) -> None:
    for name in case.before.keys() | case.after.keys():
        path = root / name
        allowed = {case.after.get(name)} if strict else {case.before.get(name), case.after.get(name)}
        assert (path.read_bytes() if path.exists() else None) in allowed, f"{name} is neither the old nor the new file"
    assert_store_whole(root / ".git/gitmlog/cache")
    if case.command[0] != "pull" or strict:
        assert_named_is_whole(root)
    assert_git_whole(root)
    assert_no_traces(root)


def run_full(disk: Path, template: Path, case: Case, leave: int) -> bool:
    """Whether the disk was too small. In any case nothing is lost, and with room the command succeeds."""
    root = disk / "repo"
    restore(template, root)
    before = visible(root)
    ballast = fill(disk, leave)
    done = Sandbox(root).here(*case.command, "--json")
    if done.code != 0:
        error = json.loads(done.err.splitlines()[-1])["error"]
        assert (done.code, error["kind"]) == (1, "disk-full"), done
        assert "free some space" in error["hint"]
    check_whole(root, case, strict=False)
    assert visible(root) - before <= set(case.after) | {f"{case.command[-1]}.gitmlog", ".gitignore"}
    ballast.unlink()
    again = Sandbox(root).here(*case.command)
    assert again.code == 0, again
    check_whole(root, case, strict=True)
    assert status_of(root).is_clean
    return done.code != 0


def measure(disk: Path, template: Path, case: Case) -> int:
    """Bytes that the command takes at its peak, more or less: what it leaves, and as much again for what it copies last."""
    root = disk / "repo"
    restore(template, root)
    start = used(disk)
    gitmlog(root, *case.command)
    return used(disk) - start


def sweep(name: str, tmp_path: Path, levels: int) -> None:
    require_mounts()
    case = CASES[name]
    outside = tmp_path / "outside"
    outside.mkdir()
    with tmpfs(tmp_path / "disk", SIZE) as disk:
        case.prepare(disk / "repo", outside)
        template = outside / "template"
        subprocess.run(["cp", "-a", str(disk / "repo"), str(template)], check=True)
        need = measure(disk, template, case)
        full = [run_full(disk, template, case, need * 5 * level // (4 * levels) // PAGE * PAGE) for level in range(levels)]
    print(f"{name}: {sum(full)} of {levels} levels were too small for {need} bytes")
    assert full[0]
    assert sum(full) > levels // 3, "the disk was hardly ever full: the test proves little"


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_full_disk(name: str, tmp_path: Path) -> None:
    sweep(name, tmp_path, LEVELS)


@pytest.mark.parametrize("name", ["add-file", "checkout-replaced"])
def test_full_disk_sample(name: str, tmp_path: Path) -> None:
    sweep(name, tmp_path, 4)


@pytest.mark.long
@pytest.mark.parametrize("files", [BIG, MANY], ids=["file", "directory"])
def test_cache_on_another_disk_that_is_full(tmp_path: Path, files: dict[str, bytes]) -> None:
    """The working tree has room, the cache has not: nothing is named that the cache does not hold."""
    require_mounts()
    root = tmp_path / "repo"
    with tmpfs(tmp_path / "disk", 4 * MIB) as disk:
        to_add(files)(root, tmp_path)
        (root / ".git/gitmlog").mkdir()
        (root / ".git/gitmlog/config.toml").write_text(f'[cache]\ndir = "{disk}/cache"\n')
        ballast = fill(disk, 200_000)
        before = visible(root)
        done = call([*GITMLOG, "add", "data" if files is MANY else "big.bin", "--json"], root)
        assert (done.returncode, json.loads(done.stderr)["error"]["kind"]) == (1, "disk-full"), done
        assert visible(root) == before
        assert call(["git", "status", "--porcelain", "--", "*.gitmlog"], root).stdout == b""
        ballast.unlink()
        if files is MANY:
            gitmlog(root, "add", "data")
            assert status_of(root).is_clean
            assert len(list((disk / "cache/objects").glob("??/*"))) == len(MANY) + 1


@pytest.mark.long
def test_working_tree_on_another_disk_that_is_full(tmp_path: Path) -> None:
    """A linked worktree on a disk of its own: what did not fit leaves nothing behind."""
    require_mounts()
    root = tmp_path / "repo"
    to_add(BIG | MANY)(root, tmp_path)
    gitmlog(root, "add", "big.bin", "data")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    with tmpfs(tmp_path / "disk", 4 * MIB) as disk:
        git(root, "worktree", "add", "-q", str(disk / "tree"))
        tree = disk / "tree"
        before = visible(tree)
        done = call([*GITMLOG, "checkout", "big.bin", "--json"], tree)
        assert (done.returncode, json.loads(done.stderr)["error"]["kind"]) == (1, "disk-full"), done
        assert visible(tree) == before
        gitmlog(tree, "checkout", "data")
        assert {name: (tree / name).read_bytes() for name in MANY} == MANY
        assert visible(tree) == before | set(MANY)
        git(root, "worktree", "remove", "--force", str(tree))
