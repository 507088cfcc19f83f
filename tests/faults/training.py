"""A training program to kill, to starve and to cut the power of; and what must be left of its runs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from helpers import GITMLOG, assert_git_whole, assert_no_traces, assert_store_whole, call

import gitmlog

PROGRAM = """
import os, sys
import gitmlog

said = os.open(os.path.join("..", "said"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def say(*words):
    os.write(said, (" ".join(words) + "\\n").encode())

def write(name, text):
    with open(name, "w") as stream:
        stream.write(text)

with gitmlog.start_run("outer", params={"lr": 0.1}, inputs=["data.csv"], outputs=["model.bin"], tags={"team": "a"}) as run:
    say("begun", run.id)
    print("training")
    for step in range(5):
        gitmlog.log_metric("loss", 1.0 / (step + 1))
    run.live.flush()
    say("metrics", run.id)
    write("plot.txt", "the plot")
    gitmlog.log_artifact("plot.txt")
    say("artifact", run.id)
    gitmlog.log_text("a note", "notes/a.txt")
    say("text", run.id)
    write("out.bin", "an output")
    gitmlog.log_output("out.bin")
    say("output", run.id)
    write("plain.txt", "an output that git keeps itself")
    gitmlog.log_output("plain.txt")
    say("plain", run.id)
    with gitmlog.start_run("inner", nested=True) as inner:
        say("begun", inner.id)
        gitmlog.log_metric("x", 1.0)
    if inner.is_recorded:
        say("recorded", inner.id)
    write("model.bin", "the model")
    WAIT
if run.is_recorded:
    say("recorded", run.id)
"""

PRODUCTS = {"plot.txt", "out.bin", "plain.txt", "model.bin"}
BEFORE = {
    "train.py": "print('changed, not staged')\n",
    "staged.py": "print('staged')\n",
    "new.py": "print('untracked')\n",
    "data.csv": "1,2\n",
    "plain.txt": "kept by git\n",
    ".gitignore": "*.tmp\n",
}


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def make_repository(root: Path) -> None:
    """Two commits, something staged, something changed, something new."""
    root.mkdir(parents=True)
    git(root, "init", "-q")
    for name, text in BEFORE.items():
        (root / name).write_text(text if name not in ("train.py", "staged.py") else "print('first')\n")
    (root / "new.py").unlink()
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    (root / "staged.py").write_text(BEFORE["staged.py"])
    git(root, "add", "staged.py")
    for name in ("train.py", "new.py"):
        (root / name).write_text(BEFORE[name])


def training(folder: Path, wait: str = "pass") -> list[str]:
    """The command; `wait` is Python at the end of the body."""
    program = folder / "program.py"
    program.write_text(PROGRAM.replace("WAIT", wait))
    return [sys.executable, str(program)]


@dataclass(frozen=True)
class State:
    """What no run moves: HEAD, index, branches, and the files that are not its own."""

    head: str
    index: bytes
    branches: str
    files: dict[str, bytes]


def state_of(root: Path) -> State:
    files = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(root).parts
    }
    kept = {name: data for name, data in files.items() if name not in PRODUCTS}
    branches = git(root, "for-each-ref", "refs/heads", "refs/remotes", "refs/stash")
    return State((root / ".git/HEAD").read_text(), (root / ".git/index").read_bytes(), branches, kept)


def said(root: Path) -> dict[str, list[str]]:
    """By run: what the program had said of it."""
    found: dict[str, list[str]] = {}
    path = root.parent / "said"
    for line in path.read_text().splitlines() if path.exists() else ():
        word, run = line.split()
        found.setdefault(run, []).append(word)
    return found


def recover(root: Path) -> None:
    done = call([*GITMLOG, "runs", "recover"], root)
    assert done.returncode == 0, done
    assert b"Traceback" not in done.stderr, done


def check_run(root: Path, run_id: str, words: list[str]) -> None:
    """The run is recorded, with all that its program had said of it."""
    run = gitmlog.get_run(run_id, repo=root)
    assert git(root, "cat-file", "-t", f"refs/tags/run/{run_id}").strip() == "tag"
    assert git(root, "rev-parse", f"run/{run_id}^{{commit}}").strip() == run.commit
    assert git(root, "rev-parse", f"run/{run_id}^").strip() == git(root, "rev-parse", "HEAD").strip()
    for name in ("train.py", "staged.py", "new.py"):
        assert git(root, "show", f"run/{run_id}:{name}") == BEFORE[name]
    complete = "recorded" in words
    assert not complete or run.status == "FINISHED"
    if run.name == "outer":
        assert (run.params, run.tags, set(run.inputs)) == ({"lr": 0.1}, {"team": "a"}, {"data.csv"})
        _check_logged(root, run, words)
        assert not complete or "model.bin" in run.outputs
    elif complete:
        assert run.metrics == {"x": 1.0}


def _check_logged(root: Path, run: gitmlog.Run, words: list[str]) -> None:
    if "metrics" in words:
        assert [point.value for point in run.history("loss")] == [1.0 / (step + 1) for step in range(5)]
    for word, name, text in (("artifact", "plot.txt", b"the plot"), ("text", "notes/a.txt", b"a note")):
        if word in words:
            with run.open(name) as stream:
                assert stream.read() == text
    if "output" in words:
        assert f'blake3 = "{run.outputs["out.bin"].blake3}"' in git(root, "show", f"{run.tag}:out.bin.gitmlog")
    if "plain" in words:
        assert git(root, "show", f"{run.tag}:plain.txt") == "an output that git keeps itself"
    for facts in run.outputs.values():
        assert facts.blake3 is None or (root / ".git/gitmlog/cache/objects" / facts.blake3[:2] / facts.blake3[2:]).exists()


def check_whole(root: Path) -> None:
    """git and the cache are whole, and nothing of a dead process stands in the way."""
    assert_git_whole(root)
    assert_store_whole(root / ".git/gitmlog/cache")


def check_closed(root: Path) -> None:
    """No run is left open, and nothing is left of the processes that are dead."""
    check_whole(root)
    assert git(root, "for-each-ref", "refs/gitmlog") == ""
    assert_no_traces(root)
    assert {path.name for path in (root / ".git/gitmlog/runs").glob("*")} <= {"newest", "products.json", "products.lock"}
    own = {root / ".git/gitmlog/runs/products.lock"}
    assert {path for path in (root / ".git").rglob("*.lock") if os.path.isfile(path)} - own == set()


def check_recorded(root: Path) -> None:
    """Every run that had begun is recorded."""
    for run_id, words in said(root).items():
        check_run(root, run_id, words)
    assert len(gitmlog.search_runs(repo=root)) == len(git(root, "tag").split())
