"""kill -9 at any moment of a run, and of recovering it: what was logged is kept, and nothing else was touched."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import GITMLOG, Point, call, kill_at, points_of, spread
from training import (
    check_closed,
    check_recorded,
    check_run,
    check_whole,
    git,
    make_repository,
    recover,
    said,
    state_of,
    training,
)

import gitmlog

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: apt-get install strace")

KILLS = 112
KILLS_OF_RECOVER = 24
DIE = "run.live.flush(); os.kill(os.getpid(), 9)"


class Sweep:
    """One command in one repository, prepared once and copied for every kill."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        self.work, self.template, self.tools = folder / "work", folder / "template", folder / "tools"
        self.tools.mkdir()
        self.command = command
        self.root = self.work / "repo"
        self.work.rename(self.template)
        self.reset()
        self.before = state_of(self.root)
        self.points = points_of(command, self.root, folder / "log")

    def reset(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        subprocess.run(["cp", "-a", self.template, self.work], check=True)

    def run(self, point: Point) -> bool:
        self.reset()
        killed = kill_at(point, self.command, self.root, self.tools)
        assert state_of(self.root) == self.before
        check_whole(self.root)
        for run_id, words in said(self.root).items():
            if "recorded" in words:
                check_run(self.root, run_id, words)
        recover(self.root)
        assert state_of(self.root) == self.before
        check_closed(self.root)
        check_recorded(self.root)
        return killed


def sweep(swept: Sweep, count: int) -> None:
    chosen, missed = spread(swept.points, count), []
    for point in chosen:
        try:
            if not swept.run(point):
                missed.append(str(point))
        except AssertionError as error:
            raise AssertionError(f"killed at {point} of {len(swept.points)}: {error}") from error
    print(f"{len(chosen) - len(missed)} kills over {len(swept.points)} calls; not reached: {missed}")
    assert len(missed) <= len(chosen) // 10, f"not reached: {missed}"


def of_a_run(tmp_path: Path) -> Sweep:
    make_repository(tmp_path / "work/repo")
    return Sweep(tmp_path, training(tmp_path))


def of_recovering(tmp_path: Path) -> Sweep:
    """Both runs have ended, one with its process."""
    root = tmp_path / "work/repo"
    make_repository(root)
    assert call(training(tmp_path, DIE), root).returncode == -9
    return Sweep(tmp_path, [*GITMLOG, "runs", "recover"])


@pytest.mark.long
def test_kill_anywhere(tmp_path: Path) -> None:
    assert KILLS * 9 // 10 >= 100
    sweep(of_a_run(tmp_path), KILLS)


@pytest.mark.long
def test_kill_anywhere_while_recovering(tmp_path: Path) -> None:
    sweep(of_recovering(tmp_path), KILLS_OF_RECOVER)


def test_kill_sample(tmp_path: Path) -> None:
    sweep(of_a_run(tmp_path), 3)


def kill_at_a_ref(root: Path, ref: str, which: int, tmp_path: Path) -> None:
    """Kill the training when it has just made its n-th ref of this kind: its lock was linked to the name, and is still there."""
    make_repository(root)
    command, log = training(tmp_path), tmp_path / "log"
    points_of(command, root, log)
    shutil.rmtree(root.parent)
    make_repository(root)
    lines = log.read_text().splitlines()
    number, line = [(number, line) for number, line in enumerate(lines) if " link(" in line and f"/refs/{ref}/" in line][which]
    thread = line.split()[0]
    unlinks = sum(1 for line in lines[:number] if line.startswith(f"{thread} ") and " unlink(" in line)
    assert kill_at(Point("unlink", unlinks + 1), command, root, tmp_path)
    assert len(list((root / f".git/refs/{ref}").glob("*.lock"))) == 1


LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("ref", "which"),
    [
        ("gitmlog/live", 0),
        pytest.param("gitmlog/live", -1, marks=LONG),
        pytest.param("tags/run", 0, marks=LONG),
        ("tags/run", -1),
    ],
)
def test_a_lock_that_a_killed_process_left_on_a_ref(tmp_path: Path, ref: str, which: int) -> None:
    root = tmp_path / "work/repo"
    kill_at_a_ref(root, ref, which, tmp_path)
    recover(root)
    check_closed(root)
    check_recorded(root)


PACED = """
import os, threading, time
import gitmlog

nobody = threading.Event()
with gitmlog.start_run() as run:
    print(run.id, flush=True)
    for step in range(100_000):
        gitmlog.log_metric("m", float(step))
        if step % 100 == 99:
            os.write(1, f"{step + 1} {time.monotonic()}\\n".encode())
            nobody.wait(0.004)
"""


@pytest.mark.long
@pytest.mark.parametrize("after", [30_000, 55_000, 90_000])
def test_a_killed_process_loses_at_most_a_second(tmp_path: Path, after: int) -> None:
    root = tmp_path / "repo"
    make_repository(root)
    process = subprocess.Popen([sys.executable, "-c", PACED], cwd=root, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    counts = [(0, 0.0)]
    while counts[-1][0] < after:
        count, moment = process.stdout.readline().split()
        counts.append((int(count), float(moment)))
    process.kill()
    rest = [line.split() for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    counts += [(int(count), float(moment)) for count, moment in rest]
    assert process.wait() == -9
    process.stdout.close()
    recover(root)
    values = [point.value for point in gitmlog.get_run(run_id, repo=root).history("m")]
    assert values == [float(step) for step in range(len(values))]
    known = max(count for count, moment in counts if moment <= counts[-1][1] - 1.0)
    print(f"{counts[-1][0]} logged, {len(values)} kept, {known} more than a second before the kill")
    assert len(values) >= known > 0


def collect_all(root: Path) -> None:
    """The most that can be taken away."""
    git(root, "reflog", "expire", "--expire=now", "--all")
    git(root, "gc", "-q", "--prune=now")
    done = call([*GITMLOG, "gc", "--prune", "--grace", "0", "--unpushed"], root)
    assert done.returncode == 0, done


def test_garbage_collection_while_a_run_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "work/repo"
    make_repository(root)
    command = training(tmp_path, "print('ready', flush=True); sys.stdin.readline()")
    process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    while process.stdout.readline().strip() != "ready":
        assert process.poll() is None
    collect_all(root)
    process.stdin.write("\n")
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    process.stdout.close()
    assert all("recorded" in words for words in said(root).values())
    check_closed(root)
    check_recorded(root)


def test_garbage_collection_between_kill_and_recover(tmp_path: Path) -> None:
    root = tmp_path / "work/repo"
    make_repository(root)
    assert call(training(tmp_path, DIE), root).returncode == -9
    collect_all(root)
    recover(root)
    check_closed(root)
    check_recorded(root)
    collect_all(root)
    check_recorded(root)


def test_outputs_of_a_run_that_was_killed_after_its_tag_are_no_code(tmp_path: Path) -> None:
    """They are remembered when it is recovered; else the next run would refuse to start, for a model is large."""
    root = tmp_path / "work/repo"
    kill_at_a_ref(root, "tags/run", -1, tmp_path)
    assert len(git(root, "tag").split()) == 2
    recover(root)
    with gitmlog.start_run(repo=root) as run:
        pass
    assert run.is_recorded
    names = git(root, "ls-tree", "-r", "--name-only", run.tag).split()
    assert "new.py" in names
    assert not {"out.bin", "model.bin", "plot.txt"} & set(names)


def test_two_recover_at_once(tmp_path: Path) -> None:
    root = tmp_path / "work/repo"
    make_repository(root)
    assert call(training(tmp_path, DIE), root).returncode == -9
    command = [*GITMLOG, "runs", "recover"]
    both = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    for process in both:
        _, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
    check_closed(root)
    check_recorded(root)
