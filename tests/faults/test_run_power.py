"""The power goes: after "recorded" a run is there; before it, a run that can be recovered or none, and a whole repository.

Cuts while a run starts, logs, ends or is recovered: the process is killed at a system call and the disk is taken as it is then
(see disks.Disk). A control shows that git at its defaults loses the tag.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from disks import Disk, ext4, require_mounts
from helpers import GITMLOG, Point, assert_git_whole, call, kill_at, points_of, spread
from training import check_closed, check_run, check_whole, git, make_repository, recover, said, state_of, training

import gitmlog

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: apt-get install strace"),
]

CUTS = 14
CUTS_OF_RECOVER = 6
DIE = "run.live.flush(); os.kill(os.getpid(), 9)"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    require_mounts()
    with ext4(tmp_path / "machine") as mounted:
        yield mounted


def check_readable(root: Path) -> int:
    """All that the records name is there; how many runs there are."""
    runs = gitmlog.search_runs(repo=root)
    assert len(runs) == len(git(root, "tag").split())
    for run in runs:
        for artifact in run.artifacts:
            with run.open(artifact.path, artifact.version) as stream:
                assert len(stream.read()) == artifact.size
        for key in run.metrics:
            assert run.history(key)
    return len(runs)


def test_control_git_alone_loses_the_tag(disk: Disk, tmp_path: Path) -> None:
    root = disk.root / "repo"
    make_repository(root)
    os.sync()
    git(root, "commit", "-q", "-a", "-m", "a run")
    git(root, "tag", "-a", "run/1", "-m", "a run")
    with disk.after_power_cut(tmp_path / "after") as mounted:
        done = call(["git", "cat-file", "-e", "refs/tags/run/1"], mounted / "repo")
        assert done.returncode != 0


@pytest.mark.parametrize("recovered", [False, True], ids=["ended", "recovered"])
def test_what_was_recorded_is_there(disk: Disk, tmp_path: Path, recovered: bool) -> None:
    root = disk.root / "repo"
    make_repository(root)
    os.sync()
    before = state_of(root)
    done = call(training(tmp_path, DIE if recovered else "pass"), root)
    assert done.returncode == (-9 if recovered else 0), done
    if recovered:
        recover(root)
    words = said(root)
    tags = git(root, "for-each-ref", "refs/tags")
    assert len(words) == len(tags.splitlines()) == 2
    with disk.after_power_cut(tmp_path / "after") as mounted:
        after = mounted / "repo"
        assert git(after, "for-each-ref", "refs/tags") == tags
        assert_git_whole(after)
        for run_id, known in words.items():
            check_run(after, run_id, known)
        recover(after)
        check_closed(after)
        assert check_readable(after) == 2
        assert state_of(after) == before


class Cuts:
    """One command on one disk, prepared once and copied for every cut."""

    def __init__(self, disk: Disk, tmp_path: Path, command: list[str]) -> None:
        self.disk, self.folder, self.command = disk, tmp_path, command
        self.root, self.template = disk.root / "work/repo", tmp_path / "template"
        self.root.parent.rename(disk.root / "prepared")
        subprocess.run(["cp", "-a", str(disk.root / "prepared"), str(self.template)], check=True)
        shutil.rmtree(disk.root / "prepared")
        self.reset()
        self.before = state_of(self.root)
        self.points = points_of(command, self.root, tmp_path / "log")

    def reset(self) -> None:
        shutil.rmtree(self.root.parent, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.template), str(self.root.parent)], check=True)
        os.sync()

    def run(self, point: Point) -> int:
        self.reset()
        kill_at(point, self.command, self.root, self.folder)
        begun = said(self.root)
        words = {run_id: known for run_id, known in begun.items() if "recorded" in known}
        with self.disk.after_power_cut(self.folder / "after") as mounted:
            root = mounted / "work/repo"
            assert state_of(root) == self.before
            check_whole(root)
            for run_id, known in words.items():
                check_run(root, run_id, known)
            recover(root)
            check_closed(root)
            assert state_of(root) == self.before
            runs = check_readable(root)
            assert runs >= len(begun)
            return runs


def cut(cuts: Cuts, count: int) -> list[int]:
    found = []
    for point in spread(cuts.points, count):
        try:
            found.append(cuts.run(point))
        except AssertionError as error:
            raise AssertionError(f"cut at {point} of {len(cuts.points)}: {error}") from error
    print(f"{len(found)} cuts over {len(cuts.points)} calls: runs found {found}")
    return found


def test_cut_at_any_moment(disk: Disk, tmp_path: Path) -> None:
    make_repository(disk.root / "work/repo")
    found = cut(Cuts(disk, tmp_path, training(tmp_path)), CUTS)
    assert found[0] == 0
    assert found[-1] == 2


def test_cut_at_any_moment_while_recovering(disk: Disk, tmp_path: Path) -> None:
    root = disk.root / "work/repo"
    make_repository(root)
    assert call(training(tmp_path, DIE), root).returncode == -9
    found = cut(Cuts(disk, tmp_path, [*GITMLOG, "runs", "recover"]), CUTS_OF_RECOVER)
    assert set(found) == {2}
