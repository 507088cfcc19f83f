"""The rows of the table: what is measured, and against what."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.benchmarks.measure import Failed, Sample, median, run
from tests.benchmarks.tools import GITMLOG, Tool, available, dvc, git_annex, git_lfs, gitmlog
from tests.servers import BUCKET, seaweedfs

PEERS = ("dvc", "git-lfs", "git-annex")
SCAN = """
import os, sys
def walk(path):
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                walk(entry.path)
            else:
                entry.stat(follow_symlinks=False)
walk(sys.argv[1])
"""


@dataclass
class Bench:
    """Where and how to measure.

    Attributes:
        folder: an empty folder; nothing in it is deleted before the end: ext4 makes files slowly just after many were deleted.
        env: the environment of all commands.
        scale: 1 for the sizes of the table, less for a trial.
        rounds: how often each row takes turns.
        peer_rounds: in how many of these rounds the peers take part, where a turn of theirs takes minutes.
        peers: which of them.
    """

    folder: Path
    env: Mapping[str, str]
    scale: float = 1.0
    rounds: int = 3
    peer_rounds: int = 3
    peers: tuple[str, ...] = PEERS
    _numbers: Iterator[int] = field(default_factory=count)

    def fresh(self) -> Path:
        """A new folder."""
        made = self.folder / f"{next(self._numbers):04d}"
        made.mkdir()
        return made

    def done_with(self, folder: Path, source: Path, sample: Sample) -> Sample:
        """Make room after a turn with one large file; a folder of many files stays until the end (see above)."""
        if source.is_file():
            shutil.rmtree(folder)
        return sample

    def call(self, *command: str, cwd: Path) -> None:
        """Run something that is not measured."""
        done = subprocess.run(command, cwd=cwd, env=dict(self.env), capture_output=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{command}: {done.stderr.decode()[-2000:]}")

    def settle(self) -> None:
        """Let nobody pay for what somebody else wrote."""
        self.call("sync", cwd=self.folder)

    def repository(self, tool: Tool) -> Path:
        """A git repository that is ready for the tool."""
        root = self.fresh()
        self.call("git", "init", "-q", cwd=root)
        for command in tool.prepare:
            self.call(*command, cwd=root)
        return root


@dataclass(frozen=True)
class Row:
    """What was measured.

    Attributes:
        name: the work.
        goals: what must be reached: column -> ratio (at most for the baseline, at least for a peer).
        baseline: the name of what the first ratio is against, and its sample; or None.
        samples: by tool.
    """

    name: str
    goals: Mapping[str, float]
    baseline: tuple[str, Sample] | None
    samples: Mapping[str, Sample]


Measure = Callable[[], Sample]


def _take_turns(bench: Bench, contenders: Mapping[str, Measure], rounds: int = 0) -> dict[str, Sample]:
    """Each round begins with the next one: a disk that slows down after a burst must not always meet the same contender."""
    taken: dict[str, list[Sample]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds or bench.rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            if name.startswith(PEERS) and number >= bench.peer_rounds:
                continue
            bench.settle()
            taken[name].append(contenders[name]())
            sys.stderr.write(f"  {number + 1} {name}: {taken[name][-1].seconds:.2f} s\n")
    return {name: median(samples) for name, samples in taken.items()}


def _file(bench: Bench, size: int) -> Path:
    path = bench.fresh() / "model.bin"
    with path.open("wb") as stream:
        for begin in range(0, size, 64 << 20):
            stream.write(os.urandom(min(64 << 20, size - begin)))
    return path


def _files(bench: Bench, number: int, size: int) -> Path:
    root = bench.fresh() / "d"
    for index in range(number):
        folder = root / f"{index // 1000:03d}"
        if index % 1000 == 0:
            folder.mkdir(parents=True)
        (folder / f"{index:06d}.bin").write_bytes(os.urandom(size) if size else b"%d" % index)
    return root


def _place(bench: Bench, source: Path, root: Path) -> str:
    """Put a copy of the input into a repository, durable, so that the tool alone pays for what it writes."""
    bench.call("cp", "-r", str(source), str(root / source.name), cwd=root)
    bench.settle()
    return source.name


def _adding(bench: Bench, tool: Tool, source: Path) -> Measure:
    def measure() -> Sample:
        root = bench.repository(tool)
        name = _place(bench, source, root)
        return bench.done_with(root, source, run(tool.add(name), root, bench.env))

    return measure


def _copying(bench: Bench, source: Path) -> Measure:
    def measure() -> Sample:
        target = bench.fresh() / "copy"
        placed = target.parent / _place(bench, source, target.parent)
        sync = f"sync '{target}'" if source.is_file() else f"sync -f '{target}'"
        sample = run(["sh", "-c", f"cp -r '{placed}' '{target}' && {sync}"], target.parent, bench.env)
        return bench.done_with(target.parent, source, sample)

    return measure


def _contenders(bench: Bench, *, links: bool = True) -> list[Tool]:
    tools = [
        gitmlog(),
        *([gitmlog("hardlink")] if links else []),
        dvc(),
        *([dvc("hardlink")] if links else []),
        git_lfs(),
        git_annex(),
    ]
    return available([tool for tool in tools if tool.name.startswith(("gitmlog", *bench.peers))], bench.env["PATH"])


def add_large(bench: Bench) -> Row:
    """`add` of one 4 GB file."""
    source = _file(bench, int((4 << 30) * bench.scale))
    contenders: dict[str, Measure] = {"cp, sync": _copying(bench, source)}
    contenders |= {tool.name: _adding(bench, tool, source) for tool in _contenders(bench)}
    return _row("`add` of one 4 GB file", {"cp, sync": 1.3, "dvc": 4}, "cp, sync", _take_turns(bench, contenders))


def add_many(bench: Bench) -> Row:
    """`add` of 20,000 files of 1 KB."""
    source = _files(bench, int(20_000 * bench.scale), 1024)
    contenders: dict[str, Measure] = {"cp, sync": _copying(bench, source)}
    contenders |= {tool.name: _adding(bench, tool, source) for tool in _contenders(bench)}
    return _row("`add` of 20,000 files of 1 KB", {"cp, sync": 3, "dvc": 4}, "cp, sync", _take_turns(bench, contenders))


def _added(bench: Bench, tool: Tool, source: Path) -> Path:
    root = bench.repository(tool)
    bench.call(*tool.add(_place(bench, source, root)), cwd=root)
    bench.call("git", "add", "-A", cwd=root)
    bench.call("git", "commit", "-q", "-m", "data", cwd=root)
    return root


def status_many(bench: Bench) -> Row:
    """`status` with nothing to do, over 100,000 files."""
    source = _files(bench, int(100_000 * bench.scale), 0)
    bench.settle()
    contenders: dict[str, Measure] = {"scandir, stat": lambda: run([sys.executable, "-c", SCAN, str(source)], source, bench.env)}
    for tool in _contenders(bench, links=False):
        root = _added(bench, tool, source)
        run(tool.status, root, bench.env)  # the first one may still hash what was too fresh to be trusted
        contenders[tool.name] = lambda tool=tool, root=root: run(tool.status, root, bench.env)  # type: ignore[misc]
    goals = {"scandir, stat": 3.0, "dvc": 5.0}
    return _row("no-op `status` over 100,000 files", goals, "scandir, stat", _take_turns(bench, contenders))


def checkout_many(bench: Bench) -> Row:
    """`checkout` of 20,000 files into an empty place."""
    source = _files(bench, int(20_000 * bench.scale), 1024)
    contenders: dict[str, Measure] = {"cp, sync": _copying(bench, source)}
    for tool in _contenders(bench):
        root = _added(bench, tool, source)
        contenders[tool.name] = _checking_out(bench, tool, root)
    return _row("`checkout` of 20,000 files", {"dvc": 4}, "cp, sync", _take_turns(bench, contenders))


def _checking_out(bench: Bench, tool: Tool, root: Path) -> Measure:
    def measure() -> Sample:
        (root / "d").rename(bench.fresh() / "d")
        bench.settle()
        return run(tool.checkout("d"), root, bench.env)

    return measure


@contextmanager
def _s3(bench: Bench) -> Iterator[Callable[[Tool, Path], None]]:
    """A SeaweedFS server; yields what points a repository at a prefix of its own there."""
    with seaweedfs(bench.fresh()) as port:
        endpoint = f"http://127.0.0.1:{port}"
        prefixes = count()

        def connect(tool: Tool, root: Path) -> None:
            url = f"s3://{BUCKET}/bench-{next(prefixes)}"
            if tool.program == "dvc":
                bench.call("dvc", "remote", "add", "-q", "-d", "origin", url, cwd=root)
                bench.call("dvc", "remote", "modify", "-q", "origin", "endpointurl", endpoint, cwd=root)
            else:
                bench.call(GITMLOG, "remote", "add", "origin", url, "--endpoint", endpoint, "--local", cwd=root)

        yield connect


def _sending(bench: Bench, tool: Tool, source: Path, connect: Callable[[Tool, Path], None]) -> Measure:
    def measure() -> Sample:
        root = _added(bench, tool, source)
        connect(tool, root)
        bench.settle()
        pushed = run(tool.push, root, bench.env)
        aside = bench.fresh()
        (root / source.name).rename(aside / source.name)
        (root / tool.cache).rename(aside / "cache")
        if tool.program == "dvc":
            (root / tool.cache).mkdir(parents=True)
        bench.settle()
        pulled = run(tool.pull, root, bench.env)
        sys.stderr.write(f"    push {pushed.seconds:.2f} s, pull {pulled.seconds:.2f} s\n")
        bench.done_with(aside, source, pushed)
        return bench.done_with(root, source, Sample(pushed.seconds + pulled.seconds, max(pushed.peak, pulled.peak)))

    return measure


def _sync(bench: Bench, name: str, source: Path, goal: float) -> Row:
    with _s3(bench) as connect:
        tools = available([gitmlog(), dvc()], bench.env["PATH"])
        samples = _take_turns(bench, {tool.name: _sending(bench, tool, source, connect) for tool in tools})
    return _row(name, {"dvc": goal}, None, samples)


def sync_large(bench: Bench) -> Row:
    """push and pull of 1 GB."""
    return _sync(bench, "`push` + `pull` of 1 GB to SeaweedFS", _file(bench, int((1 << 30) * bench.scale)), 1.5)


def sync_many(bench: Bench) -> Row:
    """push and pull of 2,000 small files."""
    return _sync(bench, "`push` + `pull` of 2,000 files of 1 KB to SeaweedFS", _files(bench, int(2_000 * bench.scale), 1024), 2.5)


def start(bench: Bench) -> Row:
    """What the smallest commands cost."""
    root = bench.repository(gitmlog())
    (root / "m.bin").write_bytes(b"m")
    bench.call(GITMLOG, "add", "m.bin", cwd=root)
    contenders: dict[str, Measure] = {
        "python -c pass": lambda: run([sys.executable, "-c", "pass"], root, bench.env),
        "gitmlog": lambda: run([GITMLOG, "--version"], root, bench.env),
        "gitmlog status": lambda: run([GITMLOG, "status"], root, bench.env),
    }
    if "dvc" in {tool.name for tool in _contenders(bench, links=False)}:
        contenders["dvc"] = lambda: run(["dvc", "--version"], root, bench.env)
    samples = _take_turns(bench, contenders, bench.rounds * 7)
    return _row("`gitmlog --version`", {"python -c pass": 2}, "python -c pass", samples)


def _row(name: str, goals: Mapping[str, float], baseline: str | None, samples: dict[str, Sample]) -> Row:
    base = (baseline, samples.pop(baseline)) if baseline else None
    return Row(name, goals, base, samples)


ROWS: dict[str, Callable[[Bench], Row]] = {
    "add-large": add_large,
    "add-many": add_many,
    "status": status_many,
    "checkout": checkout_many,
    "sync-large": sync_large,
    "sync-many": sync_many,
    "start": start,
}
