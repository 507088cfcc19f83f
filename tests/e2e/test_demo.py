"""`gitmlog demo` on a machine as it comes: no identity, or settings that would break every commit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitmlog.core.errors import GitmlogError
from gitmlog.ops.demo import isolated, play, prepare
from gitmlog.ops.demo_story import AFTERWARDS, CHAPTERS, Chapter, Run

HOSTILE = """
[user]
    useConfigOnly = true
[commit]
    gpgSign = true
[tag]
    gpgSign = true
[gpg]
    program = false
[core]
    hooksPath = {hooks}
    excludesFile = {ignore}
    attributesFile = {attributes}
    fsmonitor = {hooks}/pre-commit
    pager = false
    editor = false
[init]
    templateDir = {templates}
    defaultBranch = trunk
[protocol "file"]
    allow = never
[url "nowhere://"]
    insteadOf = ../hub.git
[filter "evil"]
    clean = false
    smudge = false
    required = true
[clone]
    defaultRemoteName = upstream
[color]
    ui = always
[push]
    default = nothing
[diff]
    external = false
"""


@pytest.fixture
def nobody(hermetic: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whom git does not know."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (hermetic / ".gitconfig").unlink()
    return hermetic


@pytest.fixture
def hostile(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whose own settings break whatever they touch."""
    for folder in ("hooks", "templates/hooks"):
        (nobody / folder).mkdir(parents=True)
        for hook in ("pre-commit", "commit-msg", "post-checkout", "pre-push", "post-commit"):
            (nobody / folder / hook).write_text(f"#!/bin/sh\ntouch {nobody}/ran\nexit 1\n")
            (nobody / folder / hook).chmod(0o755)
    (nobody / "ignore").write_text("*.gitmlog\n*.json\n.gitmlog\n")
    (nobody / "attributes").write_text("* filter=evil\n")
    places = {name: nobody / name for name in ("hooks", "ignore", "attributes", "templates")}
    (nobody / ".gitconfig").write_text(HOSTILE.format(**places))
    own = nobody / ".config" / "gitmlog"
    own.mkdir(parents=True)
    (own / "config.toml").write_text("oops")
    monkeypatch.setenv("GIT_DIR", str(nobody / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(nobody / "index"))
    return nobody


def demo(folder: Path, *, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gitmlog", "demo", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=cwd, stdin=subprocess.DEVNULL)


def git(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=60).stdout


def check_told(out: str) -> None:
    """Every command of every chapter was shown, and both accuracies."""
    for chapter in CHAPTERS:
        assert chapter.title in out
        for step in chapter.steps:
            if isinstance(step, Run) and "{remote}" not in step.line:
                assert f"$ {step.line}\n" in out
    worse, better, *tries = (float(found) for found in re.findall(r"^accuracy ([0-9.]+)%", out, re.MULTILINE))
    assert 80 < worse < better - 3
    assert len(tries) == 3 and min(tries) < 50 < 90 < max(tries)
    for share, times in ((better, 1), (worse, 1), (max(tries), 2)):
        assert out.count(f"model.npz reads {share}% of 360") == times
    assert len(re.findall(r"^\d{8}-\d{6}-\S+ +FINISHED ", out, re.MULTILINE)) == 6
    assert "* the best last value" in out
    assert "pushed 3 runs to git remote origin" in out
    assert re.search(r"^Gitmlog-Run: \d{8}-\d{6}-\S+$", out, re.MULTILINE)
    assert "Traceback" not in out


def check_left(folder: Path) -> None:
    """A repository to play with: whole, clean, at the best run, which the colleague has too."""
    project, colleague = folder / "project", folder / "colleague"
    for repository in (project, colleague, folder / "hub.git"):
        git(repository, "fsck", "--strict")
        assert len(git(repository, "tag", "--list", "run/*").split()) == 3
        assert git(repository, "rev-parse", "main") == git(project, "rev-parse", "HEAD")
    assert git(project, "status", "--porcelain") == ""
    assert len(git(project, "log", "--oneline").splitlines()) == 6
    assert "Gitmlog-Run: " in git(project, "log", "-1", "--format=%b")
    assert "start_run" in git(colleague, "show", "HEAD:train.py")
    assert (project / "model.npz").read_bytes() == (colleague / "model.npz").read_bytes()
    assert (project / "data" / "digits.csv.gz").read_bytes() == (colleague / "data" / "digits.csv.gz").read_bytes()
    assert "demo" in git(project, "config", "--local", "user.name").casefold()


def test_it_plays_without_an_identity(nobody: Path, tmp_path: Path) -> None:
    begun = time.monotonic()
    done = demo(tmp_path / "a folder")
    assert done.returncode == 0, done
    assert time.monotonic() - begun < 60
    assert done.stderr == ""
    check_told(done.stdout)
    check_left(tmp_path / "a folder")
    for line in AFTERWARDS:
        assert line in done.stdout
        again = subprocess.run(
            ["bash", "-c", re.sub(r"\bgitmlog ", f"{sys.executable} -m gitmlog ", line.replace("python ", f"{sys.executable} "))],
            cwd=tmp_path / "a folder" / "project",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert again.returncode == 0, (line, again)
    assert list(nobody.iterdir()) == []


def test_hostile_settings_take_no_part(hostile: Path, tmp_path: Path) -> None:
    before = sorted(hostile.rglob("*"))
    done = demo(tmp_path / "demo")
    assert done.returncode == 0, done
    assert "\x1b" not in done.stdout
    check_told(done.stdout)
    check_left(tmp_path / "demo")
    assert sorted(hostile.rglob("*")) == before
    (tmp_path / "demo" / "project" / "notes.txt").write_text("mine")
    git(tmp_path / "demo" / "project", "add", "notes.txt")
    git(tmp_path / "demo" / "project", "commit", "-q", "-m", "played with")
    assert sorted(hostile.rglob("*")) == before


def test_it_stays_below_its_folder(nobody: Path, tmp_path: Path) -> None:
    """Also inside another repository, which does not notice."""
    outer = tmp_path / "outer"
    subprocess.run(["git", "init", "-q", str(outer)], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "gitmlog", "demo"], cwd=outer, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done
    assert {path.name for path in outer.iterdir()} == {".git", "gitmlog-demo"}
    assert not (outer / ".git" / "gitmlog").exists()


@pytest.mark.parametrize("what", ["file in it", "file"])
def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "demo"
    if what == "file":
        folder.write_text("mine")
    else:
        folder.mkdir()
        (folder / "mine").write_text("mine")
    done = demo(folder)
    assert done.returncode == 6
    assert done.stdout == ""
    assert "error: " in done.stderr
    assert "hint: name another folder" in done.stderr
    assert (folder if what == "file" else folder / "mine").read_text() == "mine"


def test_an_empty_folder_is_fine(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    assert prepare(tmp_path / "demo") == tmp_path / "demo"


def test_ctrl_c_says_what_is_left(nobody: Path, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    child = subprocess.Popen(
        [sys.executable, "-m", "gitmlog", "demo", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("$ python train.py"):
            break
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 130
    assert said.splitlines()[-1].startswith("interrupted: the demo ends here")
    assert str(folder) in said
    assert "Traceback" not in said


def test_a_command_that_fails_ends_the_demo(tmp_path: Path) -> None:
    chapter = Chapter("t", "x", (Run("git frobnicate"), Run("git never")))
    shown = []
    with pytest.raises(GitmlogError) as caught:
        shown.extend(event.text for event in play(tmp_path, os.environ, [chapter]))
    assert caught.value.kind == "demo-failed"
    assert "git frobnicate" in caught.value.message
    events = play(tmp_path, os.environ, [Chapter("t", "x", (Run("cat nothing", code=1),))])
    assert [event.kind for event in events] == ["title", "text", "command", "output"]


def test_nothing_of_the_users_git_is_handed_on(tmp_path: Path) -> None:
    given = {"PATH": "/bin", "GIT_DIR": "/x", "GIT_AUTHOR_NAME": "Eve", "GIT_SSH_COMMAND": "sh"}
    made = isolated(given, tmp_path)
    assert made["PATH"] == "/bin"
    assert made["GIT_CONFIG_GLOBAL"] == os.devnull
    assert not {"GIT_DIR", "GIT_AUTHOR_NAME", "GIT_SSH_COMMAND"} & set(made)
