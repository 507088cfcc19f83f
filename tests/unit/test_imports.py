"""Imports point down only, and nothing heavy is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gitmlog

ROOT = Path(gitmlog.__file__).parent.parent
HEAVY = {"numpy", "git", "pygit2", "dvc_data", "dvc_objects", "fsspec", "blake3", "rich", "tomlkit", "sqlite3", "asyncio"}


def imported_by(*arguments: str, cwd: Path | None = None) -> set[str]:
    """The top-level modules that a call of gitmlog imports."""
    command = [sys.executable, "-X", "importtime", "-m", "gitmlog", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd, timeout=60)
    return {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if line.startswith("import time:")
    }


def test_the_floors_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_version_imports_nothing_heavy() -> None:
    assert imported_by("--version") & (HEAVY | {"click", "typing", "json", "pathlib"}) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["add", "--help"], ["push", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert imported_by(*arguments) & HEAVY == set()


def test_the_package_imports_nothing_heavy() -> None:
    code = "import sys, gitmlog; dir(gitmlog); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert {name.partition(".")[0] for name in done.stdout.split()} & (HEAVY | {"click"}) == set()


def test_status_in_a_small_repository_imports_only_what_it_needs(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert imported_by("status", cwd=tmp_path) & {"numpy", "git", "dvc_data", "dvc_objects", "fsspec", "rich", "asyncio"} == set()


def test_every_public_name_can_be_had() -> None:
    for name in gitmlog.__all__:
        assert getattr(gitmlog, name) is not None
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        gitmlog.nothing_of_the_kind  # noqa: B018
