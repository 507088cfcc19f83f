"""kill -9 at any moment while runs are accepted, archived, removed or pushed: the same command run again finishes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers import (
    GITMLOG,
    Point,
    assert_git_whole,
    assert_no_traces,
    assert_store_whole,
    call,
    kill_at,
    points_of,
    spread,
    visible,
)

from tests.conftest import Sandbox
from tests.runs import FIRST, make_run

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: apt-get install strace")

BEFORE = {"train.py": "print(1)\n", "old/gone.txt": "gone\n", "keep.txt": "keep\n"}
AFTER: dict[str, str | None] = {
    "train.py": "print(2)\n",
    "old/gone.txt": None,
    "lib/a/new.py": "x = 1\n",
    ".gitignore": "/model.pt\n",
}
OUTPUTS = {"model.pt": b"weights"}
SECOND = "20260102-000000-calm-fox"


@dataclass(frozen=True)
class Scenario:
    """What is killed, how many times; and whether it has been done."""

    command: list[str]
    done: Callable[[Path], bool]
    diverged: bool = False
    count: int = 12
    reached: float = 0.7


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def accepted(root: Path) -> bool:
    return git(root, "log", "-1", "--format=%s", f"run/{FIRST}") in git(root, "log", "--format=%s")


def archived(root: Path) -> bool:
    return len(git(root, "for-each-ref", "refs/gitmlog/runs").splitlines()) == 2 and not git(root, "tag")


def removed(root: Path) -> bool:
    return not git(root, "for-each-ref", "refs/gitmlog/runs", "refs/tags")


def pushed(root: Path) -> bool:
    return len(git(root, "ls-remote", "origin", "refs/tags/run/*").splitlines()) == 4


SCENARIOS = {
    "accept": Scenario(["runs", "accept", FIRST], accepted),
    "accept-merge": Scenario(["runs", "accept", FIRST], accepted, diverged=True),
    "archive": Scenario(["runs", "archive", "--older-than", "0d"], archived, count=8),
    "rm": Scenario(["runs", "rm", FIRST, SECOND], removed, count=6),
    "push": Scenario(["push", "--runs"], pushed, count=24, reached=0.3),
}


class Sweep:
    """One scenario, prepared once and copied for every kill."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario, self.work, self.template, self.tools = scenario, folder / "work", folder / "template", folder / "tools"
        self.tools.mkdir()
        self.root = self.work / "repo"
        self.prepare()
        self.work.rename(self.template)
        self.command = [*GITMLOG, *scenario.command]
        self.reset()
        self.points = points_of(self.command, self.root, folder / "log")

    def prepare(self) -> None:
        self.root.mkdir(parents=True)
        git(self.root, "init", "-q")
        git(self.root, "init", "-q", "--bare", str(self.work / "bare"))
        git(self.root, "remote", "add", "origin", str(self.work / "bare"))
        sandbox = Sandbox(self.root)
        for name, text in BEFORE.items():
            sandbox.write(name, text)
        sandbox.commit("first")
        local = f'[remote.store]\nurl = "{self.work / "remote"}"\n'
        make_run(sandbox, FIRST, files=AFTER, outputs=OUTPUTS, artifacts={"plot.png": b"plot"})
        make_run(sandbox, SECOND, artifacts={"plot.png": b"other"})
        sandbox.write(".git/gitmlog/config.toml", local)
        if self.scenario.diverged:
            sandbox.write("keep.txt", "kept\n")
            sandbox.commit("second")

    def reset(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        subprocess.run(["cp", "-a", self.template, self.work], check=True)

    def run(self, point: Point) -> bool:
        """Kill there, look, run again, look; whether the command was alive at that point at all."""
        self.reset()
        killed = kill_at(point, self.command, self.root, self.tools)
        self.check_files()
        assert_store_whole(self.root / ".git/gitmlog/cache")
        for lock in self.locks():
            lock.unlink()
        again = call(self.command, self.root)
        assert again.returncode in ((0, 3) if self.scenario.command[1] == "rm" else (0,)), again
        self.check_end()
        return killed

    def locks(self) -> list[Path]:
        """The kill may strike the git that moves refs: it leaves its locks, and our message says to delete them."""
        own = self.root / ".git"
        return [path for path in own.rglob("*.lock") if path.name != "index.lock"]

    def check_files(self) -> None:
        """Each file is the one before or the one after, whole."""
        for name in BEFORE.keys() | AFTER.keys():
            path = self.root / name
            found = path.read_text() if path.exists() else None
            assert found in (BEFORE.get(name), AFTER.get(name, BEFORE.get(name)), "kept\n"), f"{name}: {found!r}"

    def check_end(self) -> None:
        assert self.scenario.done(self.root)
        assert git(self.root, "status", "--porcelain") == ""
        assert_git_whole(self.root)
        assert_no_traces(self.root)
        assert not [path for path in visible(self.root) if os.path.basename(path).startswith(".gitmlog-")]
        if self.scenario.done is accepted:
            assert (self.root / "model.pt").read_bytes() == OUTPUTS["model.pt"]
            assert not (self.root / "old").exists()
        if self.scenario.done is pushed:
            assert_store_whole(self.work / "remote")


def sweep(name: str, tmp_path: Path, count: int) -> None:
    swept = Sweep(SCENARIOS[name], tmp_path)
    chosen, missed = spread(swept.points, count), []
    for point in chosen:
        try:
            if not swept.run(point):
                missed.append(str(point))
        except AssertionError as error:
            raise AssertionError(f"killed at {point} of {len(swept.points)}: {error}") from error
    print(f"{name}: {len(chosen) - len(missed)} kills over {len(swept.points)} calls; not reached: {missed}")
    assert len(chosen) - len(missed) >= SCENARIOS[name].reached * len(chosen), f"not reached: {missed}"


@pytest.mark.long
@pytest.mark.parametrize("name", SCENARIOS)
def test_kill_anywhere(name: str, tmp_path: Path) -> None:
    sweep(name, tmp_path, SCENARIOS[name].count)
