"""Repositories that earlier versions wrote, kept as test data: every later version must open them."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import gitmlog
from tests.conftest import Sandbox

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize("name", sorted(folder.name for folder in DATA.glob("repository-*")))
def test_an_old_repository_opens(name: str, tmp_path: Path) -> None:
    """A file in two versions, a directory with an executable and a link, and a folder remote that holds their bytes."""
    shutil.copytree(DATA / name / "store", tmp_path / "store")
    bundle = str(DATA / name / "repository.bundle")
    subprocess.run(["git", "clone", "-q", "--branch", "main", bundle, str(tmp_path / "clone")], check=True, capture_output=True)
    clone = Sandbox(tmp_path / "clone")
    clone.ok("config", "remote.origin.url", str(tmp_path / "store"))
    clone.ok("pull")
    assert (clone.root / "m.bin").read_bytes() == b"two"
    assert (clone.root / "d/a").read_bytes() == b"a"
    assert os.readlink(clone.root / "d/link") == "sub/b"
    assert os.access(clone.root / "d/run", os.X_OK)
    assert clone.ok("cat", "HEAD~1:m.bin") == "one"
    assert clone.git("status", "--porcelain") == ""
    clone.ok("verify", "--remote", "--all")
    clone.ok("add", "m.bin", "d")
    assert clone.git("status", "--porcelain") == ""


@pytest.mark.parametrize("name", sorted(folder.name for folder in DATA.glob("runs-*")))
def test_old_runs_open(name: str, tmp_path: Path) -> None:
    """A run with parameters, metrics, an output and an artifact in two versions; and one that failed and was archived."""
    shutil.copytree(DATA / name / "store", tmp_path / "store")
    bundle = str(DATA / name / "repository.bundle")
    subprocess.run(["git", "clone", "-q", "--branch", "main", bundle, str(tmp_path / "clone")], check=True, capture_output=True)
    clone = Sandbox(tmp_path / "clone")
    clone.git("fetch", "-q", "origin", "refs/gitmlog/runs/*:refs/gitmlog/runs/*")
    clone.ok("config", "remote.origin.url", str(tmp_path / "store"))
    listed = json.loads(clone.ok("runs", "list", "--json"))["runs"]
    assert [(run["name"], run["status"], run["archived"]) for run in listed] == [
        ("second", "FAILED", True),
        ("first", "FINISHED", False),
    ]
    run = gitmlog.get_run("first", repo=clone.root)
    assert run.params == {"lr": 0.1, "opt": "adam", "layers": (1, 2)}
    assert run.tags == {"why": "test data"}
    assert [(point.step, point.value) for point in run.history("acc")] == [(step, step / 5) for step in range(5)]
    odd = [point.value for point in run.history("odd")]
    assert math.isnan(odd[0])
    assert odd[1] == math.inf
    with run.open("note.txt") as newest, run.open("note.txt", 1) as first, run.open("log.txt") as log:
        assert (newest.read(), first.read(), log.read()) == (b"two", b"one", b"hello from an old run\n")
    assert clone.ok("cat", "first:model.pt") == "weights"
    assert clone.git("show", f"{run.tag}:train.py") == 'print("changed")\n'
    assert "ValueError: broken" in clone.ok("runs", "show", "second")
    clone.ok("runs", "accept", "first")
    assert (clone.root / "model.pt").read_text() == "weights"
