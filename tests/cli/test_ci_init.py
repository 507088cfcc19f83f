"""`gitmlog ci init`: what it writes, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Sandbox

GITHUB = ".github/workflows/gitmlog.yml"
GITLAB = ".gitlab/gitmlog.yml"


def test_github(sandbox: Sandbox) -> None:
    done = json.loads(sandbox.ok("ci", "init", "github", "--json"))
    assert done == {"written": [GITHUB], "unchanged": [], "to_add": ""}
    assert "gitmlog==" in (sandbox.root / GITHUB).read_text()
    assert sandbox.git("diff", "--cached", "--name-only") == "", "nothing is staged"
    assert "is up to date" in sandbox.ok("ci", "init", "github")


def test_gitlab_without_a_pipeline(sandbox: Sandbox) -> None:
    sandbox.ok("ci", "init", "gitlab")
    assert (sandbox.root / ".gitlab-ci.yml").read_text() == "include:\n  - local: .gitlab/gitmlog.yml\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("test:\n  script: make\n", True),
        ("# include .gitlab/gitmlog.yml\n", True),
        ("include: '/.gitlab/gitmlog.yml'\n", False),
        ("include:\n  - local: .gitlab/gitmlog.yml\n", False),
    ],
)
def test_gitlab_beside_a_pipeline(sandbox: Sandbox, text: str, told: bool) -> None:
    sandbox.write(".gitlab-ci.yml", text)
    out = sandbox.ok("ci", "init", "gitlab")
    assert ("add there" in out) == told
    assert (sandbox.root / ".gitlab-ci.yml").read_text() == text


def test_what_was_changed_is_not_overwritten(sandbox: Sandbox) -> None:
    sandbox.ok("ci", "init", "github")
    sandbox.write(GITHUB, "mine\n")
    error = sandbox.fails("ci", "init", "github", code=6, kind="would-overwrite")
    assert "--force" in error["hint"]
    assert (sandbox.root / GITHUB).read_text() == "mine\n"
    sandbox.ok("ci", "init", "github", "--force")
    assert (sandbox.root / GITHUB).read_text() != "mine\n"


@pytest.mark.parametrize("link", [".github", ".github/workflows", GITHUB])
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_no_link_is_written_through(sandbox: Sandbox, tmp_path: Path, link: str, force: list[str]) -> None:
    outside = tmp_path / "outside"
    (outside / "workflows").mkdir(parents=True)
    target = outside if link != GITHUB else outside / "precious"
    (outside / "precious").write_text("precious")
    (sandbox.root / link).parent.mkdir(parents=True, exist_ok=True)
    (sandbox.root / link).symlink_to(target)
    sandbox.fails("ci", "init", "github", *force, code=6, kind="link-in-path")
    assert (outside / "precious").read_text() == "precious"
    assert list((outside / "workflows").iterdir()) == []


def test_another_host(sandbox: Sandbox) -> None:
    sandbox.fails("ci", "init", "sourceforge", code=2, kind="usage")
