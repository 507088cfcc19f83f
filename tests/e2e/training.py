"""A real training script, started several times as runs, looked at, accepted, pushed, and found again in a fresh clone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Sandbox


def without_gitmlog(script: str) -> str:
    """The script as it was before: without the lines that name gitmlog, and what stood in their `with` moved back."""
    before, _, body = script.partition("with gitmlog.start_run")
    _, _, body = body.partition("\n")
    kept = [line for line in [*before.splitlines(), *textwrap.dedent(body).splitlines()] if "gitmlog" not in line]
    return "\n".join(kept) + "\n"


@dataclass(frozen=True)
class Training:
    """Ada's repository, with a git remote and a remote; `model` is what the script writes, `metric` what it is judged by."""

    ada: Sandbox
    model: str
    metric: str

    @classmethod
    def prepare(cls, ada: Sandbox, script: str, model: str, metric: str) -> Training:
        """The script as it was is committed and pushed; the one that logs is not committed."""
        hub = ada.root.parent / "hub.git"
        subprocess.run(["git", "init", "-q", "--bare", str(hub)], check=True)
        ada.write("train.py", without_gitmlog(script))
        ada.commit("how to train")
        ada.git("remote", "add", "origin", str(hub))
        assert ada.here("remote", "add", "origin", str(ada.root.parent / "store")).code == 0
        ada.git("push", "-q", "-u", "origin", "HEAD")
        ada.write("train.py", script)
        return cls(ada, model, metric)

    def run(self, *arguments: str) -> None:
        """Start the script as its user does."""
        self.ada.run(sys.executable, "train.py", *arguments, check=True)

    def runs(self) -> list[dict[str, Any]]:
        """The best first."""
        return listed(self.ada, "--sort", f"-metrics.{self.metric}")

    def best(self) -> dict[str, Any]:
        return self.runs()[0]


def listed(sandbox: Sandbox, *arguments: str) -> list[dict[str, Any]]:
    """What `gitmlog runs list --json` says."""
    done = sandbox.here("runs", "list", "--json", *arguments)
    assert done.code == 0, done
    found: list[dict[str, Any]] = json.loads(done.out)["runs"]
    return found


def shows(sandbox: Sandbox, *arguments: str) -> list[str]:
    """What a command prints: no line is wider than the terminal."""
    done = sandbox.here(*arguments)
    assert done.code == 0 and done.err == "", done
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 80, done.out
    return lines


def check_left_alone(training: Training, head: str) -> None:
    """Neither branch, index nor working tree moved."""
    ada = training.ada
    assert ada.git("rev-parse", "HEAD").strip() == head
    assert ada.git("diff", "--cached") == ""
    assert ada.git("status", "--porcelain").split("\n")[:-1] == [" M train.py", f"?? {training.model}"]


def check_looks(training: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    """List, show and compare at 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    ada, count = training.ada, len(training.runs())
    table = shows(ada, "runs", "list", "--sort", f"-metrics.{training.metric}")
    listed = [line.split()[0] for line in table[1:] if re.match("[0-9]{8}-", line)]
    assert listed == [run["id"] for run in training.runs()], table
    assert table[0].startswith("id ") and " when " in table[0]
    assert training.metric in table[0]
    shown = shows(ada, "runs", "show", f"best:{training.metric}")
    assert training.best()["id"] in shown and "parameters" in shown and any(training.model in line for line in shown)
    compared = shows(ada, "runs", "compare", *(f"last~{number}" for number in reversed(range(count))))
    assert sum(line.count(" *") for line in compared) >= 1
    assert re.match(r"(code|code and environment|.* code and environment) (is|are) the same", compared[-1])


def check_plots(training: Training, metric: str) -> None:
    """In the terminal, and every kind of picture."""
    ada = training.ada
    drawn = shows(ada, "runs", "plot", metric)
    assert drawn[0] == metric and len(drawn) > 12
    for name in ("plot.png", "plot.svg", "plot.html"):
        assert ada.here("runs", "plot", metric, "-o", f"../{name}").code == 0
    folder = ada.root.parent
    assert (folder / "plot.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert "</svg>" in (folder / "plot.svg").read_text("utf-8")
    page = (folder / "plot.html").read_text("utf-8")
    assert training.best()["id"] in page
    assert "<script src" not in page and "<link" not in page, "it is one file"


def accept_and_push(training: Training) -> dict[str, Any]:
    """The best run becomes the branch's last commit; all runs go to the others."""
    ada, best = training.ada, training.best()
    assert ada.here("runs", "accept", f"best:{training.metric}").code == 0
    assert ada.git("rev-parse", "HEAD").strip() == best["commit"]
    assert ada.git("status", "--porcelain") == ""
    assert "start_run" in ada.git("show", "HEAD:train.py")
    assert "tracked" in ada.ok("status") or "not-pushed" in ada.ok("status")
    assert ada.here("push", "--runs").code == 0
    ada.git("push", "-q")
    return best


def check_found_again(training: Training, best: dict[str, Any], metric: str, evaluate: str) -> None:
    """In a fresh clone: by git alone at first, then with the bytes. `evaluate` prints the metric of the model that is there."""
    ada, bob = training.ada, Sandbox(training.ada.root.parent / "bob")
    ada.git("clone", "-q", str(ada.root.parent / "hub.git"), str(bob.root))
    assert best["id"] in bob.git("log", "-1", "--format=%b", "--", f"{training.model}.gitmlog")
    assert bob.git("tag", "--list", "run/*").split() == sorted(run["tag"] for run in training.runs())
    assert listed(bob) == listed(ada)
    assert best["id"] in shows(bob, "runs", "show", "best:" + training.metric)
    assert bob.here("runs", "plot", metric).code == 0, "the histories are fetched"
    assert bob.here("runs", "log", best["id"]).out == ada.here("runs", "log", best["id"]).out != ""
    assert training.model in bob.ok("runs", "artifacts", "last")
    assert bob.here("pull").code == 0
    assert (bob.root / training.model).read_bytes() == (ada.root / training.model).read_bytes()
    said = bob.run(sys.executable, "-c", evaluate, check=True).out
    assert float(said) == best["metrics"][training.metric]["last"]
    bob.git("fsck", "--strict")


def other_models(training: Training) -> set[bytes]:
    """The model of every run, written by `gitmlog runs artifacts`."""
    found = set()
    for number, run in enumerate(training.runs()):
        out = training.ada.root.parent / f"models-{number}"
        assert training.ada.here("runs", "artifacts", run["id"], training.model, "-o", str(out)).code == 0
        found.add(Path(out / training.model).read_bytes())
    return found
