"""Play the chapters of the demo with real commands, in real repositories, below one new folder."""

from __future__ import annotations

import os
import shlex
import shutil
import site
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Literal

from gitmlog.core.atomic import storage_errors
from gitmlog.core.errors import GitError, GitmlogError, RefusedError
from gitmlog.core.paths import display
from gitmlog.ops.demo_story import CHAPTERS, Chapter, Run, Write

# In the repositories that are left behind: the user's own settings must neither break the story nor take part in it.
_SETTINGS = {
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "push.gpgSign": "false",
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.autocrlf": "false",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
}
_KEPT = ("GIT_EXEC_PATH", "GIT_SSL_CAINFO", "GIT_CONFIG_NOSYSTEM")


@dataclass(frozen=True)
class Event:
    """Something to show: a chapter's title, its text, a command, or a line that a command printed."""

    kind: Literal["title", "text", "command", "output"]
    text: str


@dataclass
class Stage:
    """Where the demo is: its folder, the folder of the next command, and the environment of all."""

    folder: Path
    environment: dict[str, str]
    here: Path = field(init=False)

    def __post_init__(self) -> None:
        self.here = self.folder


def prepare(folder: Path) -> Path:
    """Make the demo's folder; returns its absolute path.

    Raises:
        RefusedError: kind `exists`: there is something already.
        GitError: kind `no-git`.
    """
    if shutil.which("git") is None:
        raise GitError("git is not installed", kind="no-git", hint="install git 2.30 or newer")
    hint = "name another folder: `gitmlog demo DIR`; or remove this one"
    with storage_errors("making the demo's folder"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise RefusedError(f"{display(folder)} is no folder", kind="exists", hint=hint) from error
        if any(folder.iterdir()):
            raise RefusedError(f"{display(folder)} is not empty", kind="exists", hint=hint)
    return folder.resolve()


def play(folder: Path, environment: Mapping[str, str], chapters: list[Chapter] | None = None) -> Iterator[Event]:
    """Play `chapters` (all, when None) below the empty `folder`; yields what is to be shown, as it happens.

    Raises:
        GitmlogError: kind `demo-failed`: a command did not end as it should.
    """
    stage = Stage(folder, isolated(environment, folder))
    for number, chapter in enumerate(CHAPTERS if chapters is None else chapters, 1):
        yield Event("title", f"{number}. {chapter.title}")
        yield Event("text", chapter.text)
        for step in chapter.steps:
            yield from _write(stage, step) if isinstance(step, Write) else _run(stage, step)


def isolated(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """`environment` without what would lead git elsewhere or bring the user's own git and gitmlog settings in."""
    kept = {name: value for name, value in environment.items() if not name.startswith("GIT_") or name in _KEPT}
    return {
        **kept,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
        "HOME": str(folder),  # the Python API looks for the user's own configuration below it
        "XDG_CONFIG_HOME": str(folder / ".config"),
        "PYTHONUSERBASE": environment.get("PYTHONUSERBASE") or site.getuserbase(),  # where gitmlog may be installed
        "PYTHONUNBUFFERED": "1",
    }


def _write(stage: Stage, step: Write) -> Iterator[Event]:
    yield Event("text", f"(writes {step.path}, which comes with gitmlog)")
    target = stage.here / step.path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes((files("gitmlog") / "demo" / step.source).read_bytes())


def _run(stage: Stage, step: Run) -> Iterator[Event]:
    line = step.line.replace("{remote}", shlex.quote(str(stage.folder / "remote")))
    yield Event("command", line)
    commands = [shlex.split(part) for part in line.split(" && ")]
    code = 0
    for command in commands:
        code = yield from _one(stage, command)
        if code:
            break
    if code != step.code:
        raise GitmlogError(
            f"the demo stopped: `{line}` ended with exit code {code}",
            kind="demo-failed",
            hint=f"what it left is in {display(stage.folder)}; `gitmlog doctor` checks this machine",
        )


def _one(stage: Stage, command: list[str]) -> Generator[Event, None, int]:
    """Run one command, its output line by line; the generator's value is the exit code."""
    if command[0] == "cd":
        stage.here = Path(os.path.normpath(stage.here / command[1]))
        return 0
    with subprocess.Popen(
        _program(command),
        cwd=stage.here,
        env=stage.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as child:
        for line in child.stdout or ():
            yield Event("output", line.rstrip("\n"))
    if child.returncode == 0 and command[:2] in (["git", "init"], ["git", "clone"]):
        _settle(stage, stage.here / command[-1])
    return child.returncode


def _program(command: list[str]) -> list[str]:
    """gitmlog and python are those that run now, wherever PATH leads."""
    if command[0] == "gitmlog":
        return [sys.executable, "-m", "gitmlog", *command[1:]]
    return [sys.executable, *command[1:]] if command[0] == "python" else command


def _settle(stage: Stage, repository: Path) -> None:
    """Write settings into a new repository's own configuration; a clone gets the demo's author too."""
    for name, value in {**_SETTINGS, "user.name": "Ada Demo", "user.email": "ada@example.org"}.items():
        subprocess.run(["git", "-C", str(repository), "config", name, value], env=stage.environment, check=True)
