"""What hooks cost: `python -m tests.benchmarks.hooks [--rounds 9]`. Each row is paired with the same git without hooks."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PLAIN = ("-c", "core.hooksPath=/dev/null")
WHO = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


@dataclass
class Pair:
    """Seconds of the same work with hooks and without."""

    name: str
    goal: float
    hooks: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)

    def line(self, *, absolute: bool = False) -> str:
        """A row of the table; `absolute`: the goal is for the whole, not for what the hooks add."""
        hooks, plain = statistics.median(self.hooks), statistics.median(self.plain)
        more = statistics.median(with_hooks - without for with_hooks, without in zip(self.hooks, self.plain, strict=True))
        counted = hooks if absolute else more
        limit = f"<= {self.goal * 1000:,.0f} ms" + ("" if absolute else " more")
        verdict = "yes" if counted <= self.goal else "**no**"
        took = f"{hooks * 1000:,.0f} ms (+{more * 1000:,.0f} ms)"
        return f"| {self.name} | {limit}: {verdict} | {took} | plain git: {plain * 1000:,.0f} ms |"


def run(root: Path, *command: str) -> float:
    """Seconds that a command took; it must succeed."""
    started = time.perf_counter()
    subprocess.run(command, cwd=root, check=True, capture_output=True, env={**os.environ, **WHO})
    return time.perf_counter() - started


def gitmlog(root: Path, *arguments: str) -> None:
    run(root, sys.executable, "-m", "gitmlog", *arguments)


def repository(folder: Path, name: str) -> Path:
    root = folder / name
    run(folder, "git", "init", "-q", "-b", "main", name)
    gitmlog(root, "init")
    for number in range(200):
        (root / f"f{number}.py").write_text(f"{number}\n" * 20)
    run(root, "git", "add", "-A")
    run(root, "git", *PLAIN, "commit", "-q", "-m", "code")
    return root


def commits(folder: Path, rounds: int) -> list[str]:
    """A commit of code alone, and one of a model of 100 kB."""
    root = repository(folder, "commits")

    def code(number: int) -> None:
        (root / "f1.py").write_text(f"{number}\n")
        (root / f"new{number}.py").write_text("new\n")
        run(root, "git", "add", "-A")

    def model(number: int) -> None:
        (root / "m.bin").write_bytes(os.urandom(100_000))
        gitmlog(root, "add", "m.bin")

    def commit(*options: str) -> float:
        return run(root, "git", *options, "commit", "-q", "-m", "change")

    rows = []
    for name, goal, prepare in (("commit without a metafile", 0.03, code), ("commit with a metafile", 0.4, model)):
        rows.append(alternate(Pair(name, goal), rounds, prepare, commit, lambda: commit(*PLAIN)).line())
    return rows


def alternate(
    pair: Pair, rounds: int, prepare: Callable[[int], None], hooks: Callable[[], float], plain: Callable[[], float]
) -> Pair:
    for number in range(rounds + 1):
        prepare(2 * number)
        with_hooks = hooks()
        prepare(2 * number + 1)
        without = plain()
        if number:  # the first round warms up
            pair.hooks.append(with_hooks)
            pair.plain.append(without)
    return pair


def switching(folder: Path, rounds: int) -> list[str]:
    """Between two versions of a directory of 20,000 files, of which ten differ."""
    root = repository(folder, "switching")
    for number in range(20_000):
        path = root / f"data/{number % 100:02}/{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n" * 100)
    gitmlog(root, "add", "data")
    run(root, "git", "commit", "-q", "-m", "first")
    run(root, "git", "branch", "first")
    for number in range(10):
        (root / f"data/{number:02}/{number}").write_text("changed\n")
    gitmlog(root, "add", "data")
    run(root, "git", "commit", "-q", "-m", "second")
    pair = Pair("`git switch`, 20,000 files in a directory, 10 changed", 1.0)
    for number in range(rounds + 1):
        target = "first" if number % 2 == 0 else "main"
        without = run(root, "git", *PLAIN, "switch", "-q", target)
        run(root, "git", *PLAIN, "switch", "-q", "-")
        with_hooks = run(root, "git", "switch", "-q", target)
        if number:
            pair.hooks.append(with_hooks)
            pair.plain.append(without)
    return [pair.line(absolute=True)]


def receiving(folder: Path, rounds: int) -> list[str]:
    """A push of 100 commits, each with a new version of one of ten models, to a bare repository with pre-receive in place."""
    root, bare = repository(folder, "pushing"), folder / "bare.git"
    run(folder, "git", "init", "-q", "--bare", "-b", "main", "bare.git")
    run(root, "git", "remote", "add", "origin", str(bare))
    gitmlog(root, "remote", "add", "origin", str(folder / "store"))
    run(root, "git", "push", "-q", "--no-verify", "origin", "main")
    for number in range(100):
        (root / f"m{number % 10}.bin").write_bytes(os.urandom(1000))
        gitmlog(root, "add", f"m{number % 10}.bin")
        run(root, "git", *PLAIN, "commit", "-q", "-m", "more")
    gitmlog(root, "push")
    gitmlog(bare, "config", "remote.origin.url", str(folder / "store"))
    pair = Pair("`git push` of 100 commits, `pre-receive`", 2.0)
    for number in range(rounds + 1):
        for hooks, into in ((True, pair.hooks), (False, pair.plain)):
            gitmlog(bare, "hooks", "install" if hooks else "uninstall")
            (bare / "gitmlog/pushed.db").unlink(missing_ok=True)
            took = run(root, "git", "push", "-q", "--no-verify", "origin", f"main:refs/heads/b{number}-{hooks}")
            run(root, "git", "-C", str(bare), "update-ref", "-d", f"refs/heads/b{number}-{hooks}")
            if number:
                into.append(took)
    return [pair.line(absolute=True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    print("| work | goal | with hooks | beside it |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        for part in (commits, switching, receiving):
            for line in part(Path(name), options.rounds):
                print(line, flush=True)


if __name__ == "__main__":
    main()
