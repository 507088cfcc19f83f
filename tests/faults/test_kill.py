"""kill -9 at any moment: the same command run again succeeds, and nothing is lost, half-visible, or locked.

Every system call that changes something is counted in one whole run; the sweep then kills the command before calls spread
evenly over all of them, each time in a fresh copy of the same repository.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from helpers import (
    GITMLOG,
    Point,
    assert_git_whole,
    assert_named_is_whole,
    assert_no_traces,
    assert_store_whole,
    call,
    kill_at,
    metafile_texts,
    named_by,
    objects_in,
    points_of,
    spread,
    status_of,
    visible,
)

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: apt-get install strace")

BYTES = random.Random(7)
BIG = BYTES.randbytes(5 << 20)
BIG_2 = BYTES.randbytes(5 << 20)
FEW = {f"data/{name}": BYTES.randbytes(1000) for name in ("a", "b/c", "b/d")}
MANY = {f"data/{index % 3}/{index}": BYTES.randbytes(300) for index in range(24)}
MANY_2 = {f"data/{index % 4}/{index}": BYTES.randbytes(300) for index in range(0, 30, 2)}


@dataclass(frozen=True)
class Scenario:
    """What is killed.

    Attributes:
        prepare: makes the repository `repo` (and whatever else) in a folder.
        command: gitmlog's arguments.
        before, after: the user's files when the command starts, and when it has ended well; None: it is gone.
        count: points of the long sweep.
        finished: an exit code of the second run that says that the first one was done when it was killed.
    """

    prepare: Callable[[Path], None]
    command: list[str]
    before: dict[str, bytes]
    after: Mapping[str, bytes | None]
    count: int = 10
    finished: int = 0
    metafiles: set[str] = field(default_factory=set)


def gitmlog(cwd: Path, *arguments: str) -> None:
    done = call([*GITMLOG, *arguments], cwd)
    assert done.returncode == 0, done


def git(cwd: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True)


def write(root: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def new(folder: Path, files: dict[str, bytes]) -> Path:
    root = folder / "repo"
    git(folder, "init", "-q", "repo")
    gitmlog(root, "init", "--no-hooks", "--no-drivers")
    local = f'[remote.origin]\nurl = "{folder / "remote"}"\n'
    (root / ".git/gitmlog/config.toml").write_text(local)
    write(root, files)
    return root


def commit(root: Path, *paths: str) -> None:
    gitmlog(root, "add", *paths)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "more")


def fresh(files: dict[str, bytes]) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        new(folder, files)

    return prepare


def committed(files: dict[str, bytes], *paths: str, then: dict[str, bytes] | None = None) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        root = new(folder, files)
        commit(root, *paths)
        if then is not None:
            shutil.rmtree(root / "data", ignore_errors=True)
            write(root, then)

    return prepare


def older(first: dict[str, bytes], second: dict[str, bytes], path: str) -> Callable[[Path], None]:
    """Two versions are committed; the working tree holds the second, the metafile says the first."""

    def prepare(folder: Path) -> None:
        root = new(folder, first)
        commit(root, path)
        shutil.rmtree(root / "data", ignore_errors=True)
        write(root, second)
        commit(root, path)
        git(root, "checkout", "-q", "HEAD~1", "--", f"{path}.gitmlog")

    return prepare


def switched(first: dict[str, bytes], second: dict[str, bytes], path: str) -> Callable[[Path], None]:
    """Branches `old` and `new`; git has just switched from `new` to `old`, and the files have not followed yet."""

    def prepare(folder: Path) -> None:
        root = new(folder, first)
        commit(root, path)
        git(root, "branch", "old")
        shutil.rmtree(root / "data", ignore_errors=True)
        write(root, {**second, "fresh.bin": b"only on new"})
        commit(root, path, "fresh.bin")
        git(root, "branch", "new")
        git(root, "checkout", "-q", "old")

    return prepare


def renamed(files: dict[str, bytes], path: str, to: str) -> Callable[[Path], None]:
    """`git mv` has renamed the metafile alone."""

    def prepare(folder: Path) -> None:
        root = new(folder, files)
        commit(root, path)
        git(root, "mv", f"{path}.gitmlog", f"{to}.gitmlog")

    return prepare


def emptied(files: dict[str, bytes], path: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        root = new(folder, files)
        commit(root, path)
        for name in files:
            (root / name).unlink()
        shutil.rmtree(root / "data", ignore_errors=True)

    return prepare


def cloned(files: dict[str, bytes], *paths: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        root = new(folder, files)
        commit(root, *paths)
        gitmlog(root, "push")
        root.rename(folder / "upstream")
        git(folder, "clone", "-q", "upstream", "repo")
        gitmlog(folder / "repo", "init", "--no-hooks", "--no-drivers")
        shutil.copy(folder / "upstream/.git/gitmlog/config.toml", folder / "repo/.git/gitmlog/config.toml")

    return prepare


def with_garbage(folder: Path) -> None:
    """Objects that nothing names any more, and that the remote holds, so that gc may take them."""
    root = new(folder, {"big.bin": BIG[:99999], **FEW, **{f"old/{name}": data for name, data in MANY.items()}})
    gitmlog(root, "add", "big.bin", "data", "old")
    gitmlog(root, "push")
    gitmlog(root, "rm", "old")
    write(root, {"big.bin": b"second"})
    gitmlog(root, "add", "big.bin")
    gitmlog(root, "push")


BOTH = {"big.bin": BIG, **MANY}
LEFT = {"big.bin": b"second", **FEW}
SCENARIOS = {
    "add-file": Scenario(fresh({"big.bin": BIG}), ["add", "big.bin"], {"big.bin": BIG}, {"big.bin": BIG}, 14),
    "add-directory": Scenario(fresh(MANY), ["add", "data"], MANY, MANY, 14),
    "add-replaced": Scenario(
        committed({"big.bin": BIG}, "big.bin", then={"big.bin": BIG_2}),
        ["add", "big.bin"],
        {"big.bin": BIG_2},
        {"big.bin": BIG_2},
    ),
    "add-changed-directory": Scenario(committed(MANY, "data", then=MANY_2), ["add", "data"], MANY_2, MANY_2),
    "checkout-file": Scenario(emptied({"big.bin": BIG}, "big.bin"), ["checkout"], {}, {"big.bin": BIG}),
    "checkout-directory": Scenario(emptied(MANY, "data"), ["checkout"], {}, MANY),
    "checkout-replaced": Scenario(
        older({"big.bin": BIG}, {"big.bin": BIG_2}, "big.bin"), ["checkout"], {"big.bin": BIG_2}, {"big.bin": BIG}
    ),
    "checkout-changed-directory": Scenario(older(MANY, MANY_2, "data"), ["checkout"], MANY_2, MANY),
    "follow": Scenario(
        switched(MANY, MANY_2, "data"),
        ["hook", "post-checkout", "new", "old", "1"],
        {**MANY_2, "fresh.bin": b"only on new"},
        {**MANY, "fresh.bin": None},
        14,
    ),
    "git-mv": Scenario(
        renamed(FEW, "data", "moved"), ["checkout"], FEW, {name.replace("data", "moved"): data for name, data in FEW.items()}, 12
    ),
    "push": Scenario(committed(BOTH, "big.bin", "data"), ["push"], BOTH, BOTH, 12),
    "pull": Scenario(cloned(BOTH, "big.bin", "data"), ["pull"], {}, BOTH, 14),
    "gc": Scenario(with_garbage, ["gc", "--prune"], LEFT, LEFT),
    "gc-delete": Scenario(with_garbage, ["gc", "--prune", "--grace", "0"], LEFT, LEFT),
    "mv": Scenario(
        committed(FEW, "data"), ["mv", "data", "moved"], FEW, {name.replace("data", "moved"): data for name, data in FEW.items()},
        8, finished=3,
    ),
    "rm": Scenario(committed(FEW, "data"), ["rm", "data"], FEW, {}, 8, finished=3),
}  # fmt: skip


class Sweep:
    """One scenario, prepared once and copied for every kill (always to the same place: remotes have absolute paths)."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        self.work = folder / "work"
        self.template = folder / "template"
        self.tools = folder / "tools"
        self.tools.mkdir()
        self.work.mkdir()
        scenario.prepare(self.work)
        self.work.rename(self.template)
        self.root = self.work / "repo"
        self.command = [*GITMLOG, *scenario.command]
        self.reset()
        self.points = points_of(self.command, self.root, folder / "log")
        self.texts = visible(self.root) - set(scenario.after)

    def reset(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        subprocess.run(["cp", "-a", self.template, self.work], check=True)

    def run(self, point: Point) -> bool:
        """Kill there, look, run again, look; whether the command was alive at that point at all."""
        self.reset()
        killed = kill_at(point, self.command, self.root, self.tools)
        self.check_user_files()
        assert_store_whole(self.root / ".git/gitmlog/cache")
        assert_store_whole(self.work / "remote")
        if self.scenario.command[0] != "pull":
            assert_named_is_whole(self.root)
        again = call(self.command, self.root)
        assert again.returncode in (0, self.scenario.finished), again
        self.check_end()
        return killed

    def check_user_files(self) -> None:
        """Each file is the one before or the one after, whole: never a part, never nothing where there was something."""
        before, after = self.scenario.before, self.scenario.after
        for name in before.keys() | after.keys():
            path = self.root / name
            allowed = {before.get(name), after.get(name)}
            found = path.read_bytes() if path.exists() else None
            replaced = name in before and self.scenario.command[0] in (
                "checkout",
                "hook",
            )  # a folder's old files go first: they are saved
            assert found in allowed or (found is None and replaced), f"{name} is neither the old nor the new file"

    def check_end(self) -> None:
        for name, data in self.scenario.after.items():
            found = (self.root / name).read_bytes() if (self.root / name).exists() else None
            assert found == data, name
        assert visible(self.root) - set(self.scenario.after) == self.texts
        assert_named_is_whole(self.root)
        assert_store_whole(self.root / ".git/gitmlog/cache")
        assert_git_whole(self.root)
        assert_no_traces(self.root)
        now = status_of(self.root)
        assert now.is_clean, now
        if self.scenario.command[0] == "gc":
            stored = {oid for oid, _ in objects_in(self.root / ".git/gitmlog/cache")}
            assert stored == named_by(metafile_texts(self.root), self.root / ".git/gitmlog/cache")
        if self.scenario.command[0] == "push":
            assert not [item for item in now.paths if item.conditions], now


def sweep(name: str, tmp_path: Path, count: int) -> None:
    swept = Sweep(SCENARIOS[name], tmp_path)
    chosen = spread(swept.points, count)
    missed = []
    for point in chosen:
        try:
            if not swept.run(point):
                missed.append(str(point))
        except AssertionError as error:
            raise AssertionError(f"killed at {point} of {len(swept.points)}: {error}") from error
    print(f"{name}: {len(chosen) - len(missed)} kills over {len(swept.points)} calls; not reached: {missed}")
    assert len(missed) <= len(chosen) // 4, f"not reached: {missed}"


@pytest.mark.long
@pytest.mark.parametrize("name", SCENARIOS)
def test_kill_anywhere(name: str, tmp_path: Path) -> None:
    sweep(name, tmp_path, SCENARIOS[name].count)


@pytest.mark.parametrize("name", ["add-file", "pull"])
def test_kill_sample(name: str, tmp_path: Path) -> None:
    sweep(name, tmp_path, 4)


@pytest.mark.long
def test_kill_of_the_git_that_stages(tmp_path: Path) -> None:
    """git is killed, gitmlog is not: a clear error, and the same command run again succeeds."""
    swept = Sweep(SCENARIOS["add-file"], tmp_path)
    points = [point for point in swept.points if point.child]
    assert points, "git was not seen"
    for point in points:
        assert swept.run(point), str(point)


def test_git_outlives_a_killed_gitmlog(tmp_path: Path) -> None:
    """The child goes on when its parent is dead: it works on a copy of the index that nobody will ever rename."""
    swept = Sweep(SCENARIOS["add-file"], tmp_path)
    git_path = shutil.which("git")
    (swept.tools / "git").write_text(f'#!/bin/sh\nkill -9 $PPID\nexec {git_path} "$@"\n')
    (swept.tools / "git").chmod(0o755)
    swept.reset()
    killed = call(swept.command, swept.root, PATH=f"{swept.tools}:{os.environ['PATH']}")
    assert killed.returncode == -9
    assert_named_is_whole(swept.root)
    assert call(swept.command, swept.root).returncode == 0
    swept.check_end()


def test_the_sweep_is_wide() -> None:
    """At least 100 points over add, checkout, push, pull and gc."""
    counted = [scenario.count for name, scenario in SCENARIOS.items() if name.split("-")[0] not in ("mv", "rm")]
    assert sum(counted) >= 100
