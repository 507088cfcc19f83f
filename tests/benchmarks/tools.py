"""How gitmlog and each peer does a piece of work, with its defaults and with its fastest link setting."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Command = list[str]


@dataclass(frozen=True)
class Tool:
    """One column.

    Attributes:
        name: as the table shows it.
        program: what must be on PATH.
        prepare: commands that make a fresh git repository ready.
        add: the command that takes a path under version control.
        commit: makes that visible to `status`, or None where the tool has done so.
        status, checkout: the commands measured.
        push, pull: likewise, or empty where the tool cannot speak to S3 without a server of its own.
    """

    name: str
    program: str
    prepare: list[Command]
    add: Callable[[str], Command]
    status: Command
    checkout: Callable[[str], Command]
    push: Command
    pull: Command
    cache: str = ""


GITMLOG = str(Path(sys.executable).with_name("gitmlog"))


def gitmlog(link: str | None = None) -> Tool:
    """gitmlog with copies (the default), or with links."""
    prepare = [[GITMLOG, "init"]]
    extra: Command = []
    if link:
        prepare.append([GITMLOG, "config", "cache.link", link])
        extra = ["--link", link]
    name = f"gitmlog, {link}" if link else "gitmlog"
    return Tool(
        name,
        GITMLOG,
        prepare,
        lambda path: [GITMLOG, "add", *extra, path],
        [GITMLOG, "status"],
        lambda path: [GITMLOG, "checkout", path],
        [GITMLOG, "push"],
        [GITMLOG, "pull"],
        ".git/gitmlog/cache",
    )


def dvc(link: str | None = None) -> Tool:
    """DVC, with analytics and update checks off."""
    prepare = [
        ["dvc", "init", "-q"],
        ["dvc", "config", "core.analytics", "false"],
        ["dvc", "config", "core.check_update", "false"],
    ]
    prepare += [["dvc", "config", "core.autostage", "true"]]
    if link:
        prepare.append(["dvc", "config", "cache.type", link])
    return Tool(
        f"dvc, {link}" if link else "dvc",
        "dvc",
        prepare,
        lambda path: ["dvc", "add", "-q", path],
        ["dvc", "status", "-q"],
        lambda path: ["dvc", "checkout", "-q", f"{path}.dvc"],
        ["dvc", "push", "-q"],
        ["dvc", "pull", "-q"],
        ".dvc/cache",
    )


def git_lfs() -> Tool:
    """git-lfs: `git add` runs its clean filter, `git checkout` its smudge filter. It has no link setting on ext4."""
    prepare = [["git", "lfs", "install", "--local"], ["git", "lfs", "track", "*.bin"]]
    return Tool("git-lfs", "git-lfs", prepare, lambda path: ["git", "add", path], ["git", "status"], _git_checkout, [], [])


def git_annex() -> Tool:
    """git-annex: files become links to its own object store (its default and its fastest)."""
    prepare = [["git", "annex", "init", "-q"]]
    return Tool(
        "git-annex",
        "git-annex",
        prepare,
        lambda path: ["git", "annex", "add", "-q", path],
        ["git", "status"],
        _git_checkout,
        [],
        [],
    )


def _git_checkout(path: str) -> Command:
    return ["git", "checkout", "-q", "--", path]


def available(tools: list[Tool], path: str) -> list[Tool]:
    """Those whose program is on `path`; the others are named."""
    found = []
    for tool in tools:
        if shutil.which(tool.program, path=path):
            found.append(tool)
        else:
            sys.stderr.write(f"not measured: {tool.name} ({tool.program} is not on PATH)\n")
    return found


def versions(env: Mapping[str, str]) -> list[str]:
    """The versions of what was measured."""
    commands = [
        [GITMLOG, "--version"],
        ["dvc", "--version"],
        ["git", "lfs", "version"],
        ["git", "annex", "version", "--raw"],
        ["git", "--version"],
    ]
    lines = []
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, env=dict(env), check=False)
        except FileNotFoundError:
            continue
        if done.returncode == 0:
            lines.append(f"{' '.join(command[:2])}: {done.stdout.strip().splitlines()[0]}".replace(GITMLOG, "gitmlog"))
    return lines
