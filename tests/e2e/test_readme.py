"""The lines of the README and of two guides, followed word for word in an empty folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gitmlog
from gitmlog.ops.topics import find_page

README = Path(gitmlog.__file__).parent.parent / "README.md"


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def pasted(text: str) -> Iterator[str]:
    """The lines after "$ ", and files to be saved: Python blocks that begin with their name."""
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        named = re.match(r"# (\w+\.py)\n", body)
        if language == "python" and named:
            yield f"cat > {named[1]} <<'END OF FILE'\n{body}END OF FILE"
        elif language == "console":
            yield from re.findall(r"^\$ (.*)$", body, re.MULTILINE)


def follow(folder: Path, text: str, *, strict: bool = True) -> str:
    """What a terminal of 80 columns shows when the blocks of a page are pasted into it."""
    lines = ["exec 2>&1", f'gitmlog() {{ {shlex.quote(sys.executable)} -m gitmlog "$@"; }}']
    for command in pasted(text):
        if not command.startswith("cat > "):
            lines.append(f"printf '%s\\n' {shlex.quote(f'$ {command}')}")
        lines.append(command + ("" if strict else "\n[ $? = 0 ] || echo FAILED"))
    environment = {**os.environ, "COLUMNS": "80", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    return done.stdout.replace(str(folder.resolve()), "~")


def plain(text: str) -> str:
    """Output without what differs from day to day and from machine to machine."""
    for found, instead in (
        (r"(\d{8}-\d{6}-)?\b[a-z]+-[a-z]+\b", "ID"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d UTC)?", "WHEN"),
        (r"\d[\d.]* ?s\b", "SECONDS"),
        (r"\b[0-9a-f]{7,10}\b", "HASH"),
        (r"by \S+ on \S+", "BY"),
        (r"(?m)^environment  .*\n( {13}.*\n)*", "ENVIRONMENT\n"),
        (r" +", " "),
    ):
        text = re.sub(found, instead, text)
    return text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "empty"
    made.mkdir()
    return made


def test_the_readme(folder: Path) -> None:
    text = README.read_text("utf-8")
    assert plain(follow(folder, text)) == plain("".join(blocks(text, "console")))
    (block,) = (block for block in blocks(text, "python") if "Repo.init" in block)
    done = subprocess.run([sys.executable, "-c", block], cwd=folder / "demo", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
    assert (folder / "demo/first.safetensors").stat().st_size == 90_000_000


@pytest.mark.parametrize("name", ["start", "runs"])
def test_guides(folder: Path, name: str) -> None:
    page = find_page(name)
    assert page is not None
    said = follow(folder, page.text, strict=False)
    assert "FAILED" not in said and "error:" not in said, said
