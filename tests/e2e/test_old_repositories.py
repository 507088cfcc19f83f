"""Repositories that earlier versions wrote, kept as test data: every later version must open them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Sandbox

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize("name", sorted(folder.name for folder in DATA.iterdir()))
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
