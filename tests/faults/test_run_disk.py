"""The disk is full while a run goes on: told once, the training goes on and ends as it would, what was logged is kept."""

from __future__ import annotations

import errno
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from disks import MIB, require_mounts, tmpfs
from helpers import GITMLOG, call
from test_full_disk import PAGE, fill
from training import BEFORE, State, check_closed, check_whole, git, make_repository, recover, state_of

import gitmlog
from gitmlog.git.durable import git_errors, synced_writes, write_commit
from gitmlog.git.identity import Identity
from gitmlog.git.repository import GitRepo

SIZE = 8 * MIB
LEVELS = 24

PROGRAM = """
import os, sys
import gitmlog

disk, outside, freed = sys.argv[1:]
ballast = os.path.join(disk, "ballast")

def fill():
    fd = os.open(ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        while True:
            os.write(fd, bytes(4096))
    except OSError:
        os.close(fd)

with gitmlog.start_run("full", params={"lr": 0.1}) as run:
    gitmlog.log_metric("before", 1.0)
    gitmlog.log_text("kept", "before.txt")
    print("said before")
    run.live.flush()
    fill()
    for step in range(3000):
        gitmlog.log_metric("during", float(step))
    run.live.flush()
    for name in ("one.bin", "two.bin"):
        gitmlog.log_artifact(os.path.join(outside, name))
    gitmlog.log_text("a" * 10_000, "three.txt")
    gitmlog.set_tag("during", "yes")
    for line in range(2000):
        print("said during", line)
    run.live.flush()
    if freed == "freed":
        os.unlink(ballast)
    gitmlog.log_metric("after", 1.0)
print("recorded" if run.is_recorded else "not recorded")
sys.exit(7)
"""


@dataclass(frozen=True)
class Trained:
    """What the program said, on stdout and, of ours, on stderr."""

    out: list[str]
    told: list[str]


def train(root: Path, *arguments: str) -> Trained:
    done = call([sys.executable, "-c", PROGRAM, *arguments], root)
    assert done.returncode == 7, done
    assert b"Traceback" not in done.stderr, done
    told = done.stderr.decode().splitlines()
    assert all(line.startswith("run 20") for line in told), told
    return Trained(done.stdout.decode().splitlines(), told)


def prepare(root: Path, outside: Path) -> State:
    make_repository(root)
    for name in ("one.bin", "two.bin"):
        outside.mkdir(exist_ok=True)
        (outside / name).write_bytes(name.encode() * 5000)
    return state_of(root)


def values(run: gitmlog.Run, key: str) -> list[float]:
    return [point.value for point in run.history(key)] if key in run.metrics else []


def count(told: list[str], words: str) -> int:
    return sum(words in line for line in told)


def check_before(run: gitmlog.Run) -> None:
    assert run.params == {"lr": 0.1}
    assert values(run, "before") == [1.0]
    with run.open("before.txt") as stream:
        assert stream.read() == b"kept"
    with run.open("log.txt") as stream:
        assert stream.read().startswith(b"said before\n")


def test_full_and_freed_while_it_goes_on(tmp_path: Path) -> None:
    """What was still in memory when there was room again is there."""
    require_mounts()
    with tmpfs(tmp_path / "disk", SIZE) as disk:
        root = disk / "repo"
        before = prepare(root, tmp_path / "outside")
        trained = train(root, str(disk), str(tmp_path / "outside"), "freed")
        assert trained.out[-1] == "recorded"
        assert state_of(root) == before
        run = gitmlog.get_run("last", repo=root)
        check_before(run)
        assert values(run, "during") == [float(step) for step in range(3000)]
        assert values(run, "after") == [1.0]
        assert (run.status, run.tags) == ("FINISHED", {"during": "yes"})
        assert count(trained.told, "what is logged could not be written down") == 1
        assert count(trained.told, "artifact") == 1
        assert count(trained.told, "the output") == 1
        assert len(trained.told) <= 5, trained.told  # the load, and the environment if it was not known yet
        kept = " ".join(run.record.warnings)
        assert all(name in kept for name in ("one.bin", "two.bin", "three.txt")), kept
        check_closed(root)


def test_full_until_the_end(tmp_path: Path) -> None:
    require_mounts()
    with tmpfs(tmp_path / "disk", SIZE) as disk:
        root = disk / "repo"
        before = prepare(root, tmp_path / "outside")
        trained = train(root, str(disk), str(tmp_path / "outside"), "full")
        assert trained.out[-1] == "not recorded"
        assert sum(line.split(maxsplit=2)[2].startswith("could not be recorded") for line in trained.told) == 1
        assert count(trained.told, "What was logged last could not be kept, all else is") == 1
        assert state_of(root) == before
        check_whole(root)
        still_full = call([*GITMLOG, "runs", "recover"], root)
        assert still_full.returncode == 1
        assert b"the disk is full" in still_full.stderr
        (disk / "ballast").unlink()
        recover(root)
        run = gitmlog.get_run("last", repo=root)
        check_before(run)
        kept = values(run, "during")
        assert kept == [float(step) for step in range(len(kept))]
        assert state_of(root) == before
        check_closed(root)


def test_the_cache_alone_is_full(tmp_path: Path) -> None:
    """It lies on another disk. Artifacts do not fit; all else is kept, and recorded when there is room."""
    require_mounts()
    root = tmp_path / "repo"
    before = prepare(root, tmp_path / "outside")
    with tmpfs(tmp_path / "disk", SIZE) as disk:
        (root / ".git/gitmlog").mkdir()
        (root / ".git/gitmlog/config.toml").write_text(f'[cache]\ndir = "{disk}/cache"\n')
        trained = train(root, str(disk), str(tmp_path / "outside"), "full")
        assert trained.out[-1] == "not recorded"
        assert count(trained.told, "artifact") == 1
        assert count(trained.told, "Nothing of it is lost") == 1
        assert count(trained.told, "written down") == 0
        (disk / "ballast").unlink()
        recover(root)
        run = gitmlog.get_run("last", repo=root)
        check_before(run)
        assert values(run, "during") == [float(step) for step in range(3000)]
        assert (run.status, values(run, "after")) == ("FINISHED", [1.0])
        with run.open("log.txt") as stream:
            assert stream.read().endswith(b"said during 1999\n")
        assert state_of(root) == before
        assert git(root, "for-each-ref", "refs/gitmlog") == ""


def test_the_working_tree_alone_is_full(tmp_path: Path) -> None:
    """A linked worktree on a disk of its own: a run writes nothing there."""
    require_mounts()
    root = tmp_path / "repo"
    prepare(root, tmp_path / "outside")
    with tmpfs(tmp_path / "disk", SIZE) as disk:
        git(root, "worktree", "add", "-q", str(disk / "tree"))
        trained = train(disk / "tree", str(disk), str(tmp_path / "outside"), "full")
        assert (trained.out[-1], trained.told) == ("recorded", [])
        run = gitmlog.get_run("last", repo=root)
        check_before(run)
        assert values(run, "during") == [float(step) for step in range(3000)]
        assert {each.path for each in run.artifacts} == {"before.txt", "one.bin", "two.bin", "three.txt"}
        git(root, "worktree", "remove", "--force", str(disk / "tree"))
        check_closed(root)


def test_an_object_that_was_not_written_is_told(tmp_path: Path) -> None:
    """libgit2's own function for commits returns an id, and has written nothing."""
    require_mounts()
    with tmpfs(tmp_path / "disk", MIB) as disk:
        make_repository(disk / "repo")
        repo = GitRepo.discover(disk / "repo")
        tree, now = str(repo.resolve("HEAD").tree_id), datetime.now(UTC)
        fill(disk, 0)
        with pytest.raises(OSError, match="No space left") as caught, git_errors(), synced_writes():
            write_commit(repo, tree, [], "lost", Identity("Ada", "ada@example.org"), now)
        assert caught.value.errno == errno.ENOSPC


SHORT = """
import sys
import gitmlog

with gitmlog.start_run("short") as run:
    gitmlog.log_metric("a", 1.0)
    gitmlog.log_text("x" * 20_000, "a.txt")
    print("line " * 2000)
print("recorded" if run.is_recorded else "not recorded")
sys.exit(7)
"""


def starved(root: Path, disk: Path, leave: int, before: State) -> str:
    """Run the program with only so much room; then with room again."""
    ballast = fill(disk, leave)
    done = call([sys.executable, "-c", SHORT], root)
    outcome = done.stdout.decode().splitlines()[-1] if done.returncode == 7 else "did not begin"
    if done.returncode != 7:
        assert done.returncode == 1, done
        assert b"the disk is full" in done.stderr, done
    assert state_of(root) == before
    check_whole(root)
    ballast.unlink()
    recover(root)
    check_closed(root)
    tags = git(root, "tag").split()
    assert len(tags) == (outcome != "did not begin"), (outcome, tags)
    for tag in tags:  # no file was left out for want of room
        assert git(root, "show", f"{tag}:new.py") == BEFORE["new.py"]
    again = call([sys.executable, "-c", SHORT], root)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (7, b"recorded"), again
    check_closed(root)
    return outcome


def sweep(tmp_path: Path, levels: int) -> None:
    require_mounts()
    template = tmp_path / "template"
    before = prepare(template, tmp_path / "outside")
    outcomes = []
    with tmpfs(tmp_path / "disk", SIZE) as disk:
        for level in range(levels):
            root = disk / "repo"
            subprocess.run(["cp", "-a", str(template), str(root)], check=True)
            outcomes.append(starved(root, disk, level * 72 // levels * PAGE, before))
            subprocess.run(["rm", "-rf", str(root)], check=True)
    print(outcomes)
    assert outcomes[0] == "did not begin"
    assert outcomes.count("not recorded") >= levels // 6
    assert outcomes[-1] == "recorded"


@pytest.mark.long
def test_full_at_any_level(tmp_path: Path) -> None:
    sweep(tmp_path, LEVELS)


def test_full_at_some_levels(tmp_path: Path) -> None:
    sweep(tmp_path, 4)
