"""The README's and the quick start's lines, followed word for word in an empty folder."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import gitmlog
from gitmlog.ops.topics import find_page

README = Path(gitmlog.__file__).parent.parent / "README.md"


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def follow(folder: Path, text: str, *, strict: bool = True) -> str:
    """What a terminal shows when the lines after "$ " are pasted into it."""
    lines = ["exec 2>&1", f'gitmlog() {{ {shlex.quote(sys.executable)} -m gitmlog "$@"; }}']
    for command in re.findall(r"^\$ (.*)$", text, re.MULTILINE):
        lines += [f"printf '%s\\n' {shlex.quote(f'$ {command}')}", command + ("" if strict else " || echo FAILED")]
    done = subprocess.run(["bash", "-c", "\n".join(lines)], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.replace(str(folder.resolve()), "~")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "empty"
    made.mkdir()
    return made


def test_the_readme(folder: Path) -> None:
    text = README.read_text("utf-8")
    minutes = "".join(blocks(text, "console"))

    def plain(output: str) -> str:
        return re.sub("committed as [0-9a-f]{7}", "committed as 1a2b3c4", output)

    assert plain(follow(folder, minutes)) == plain(minutes)
    (block,) = blocks(text, "python")
    done = subprocess.run([sys.executable, "-c", block], cwd=folder / "demo", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
    assert (folder / "demo/first.safetensors").stat().st_size == 90_000_000


def test_the_quick_start(folder: Path) -> None:
    page = find_page("start")
    assert page is not None
    said = follow(folder, "".join(blocks(page.text, "console")), strict=False)
    assert "FAILED" not in said and "error:" not in said, said
