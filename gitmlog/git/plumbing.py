"""Calling the user's git: no hooks, no fsmonitor, no pager, no prompt, arguments after `--` where git has it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from gitmlog.core.errors import GitError

# What would point the child at another repository than the one that was opened (git rev-parse --local-env-vars).
_LOCAL = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_NAMESPACE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
)

_NO_HOOKS = ("-c", "core.hooksPath=/dev/null")
_PINNED = {
    "core.fsmonitor": "false",
    "core.fsync": "all",
    "protocol.ext.allow": "never",
    "core.alternateRefsCommand": "true",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
_QUIET = (*(word for key, value in _PINNED.items() for word in ("-c", f"{key}={value}")), "--no-pager")
SAFE = (*_NO_HOOKS, *_QUIET)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a child git: the caller's, less what would lead it to another repository."""
    kept = {name: value for name, value in os.environ.items() if name not in _LOCAL}
    return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", **(extra or {})}


def identity_variables() -> dict[str, str]:
    """The variables by which git is told who commits."""
    names = ("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL")
    return {name: os.environ[name] for name in names if name in os.environ}


def names_config_files() -> bool:
    """Whether variables say that git reads other files of configuration than usual: libgit2 knows nothing of them."""
    return any(name in os.environ for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"))


@dataclass(frozen=True)
class Answer:
    """How a git ended: its exit code, and what it printed."""

    code: int
    out: bytes
    err: bytes


def run_git(
    gitdir: Path, worktree: Path | None, arguments: Sequence[str], *, data: bytes = b"", extra: Mapping[str, str] | None = None
) -> bytes:
    """What git prints.

    Raises:
        GitError: git is missing or failed, with what it said.
    """
    done = ask_git(gitdir, worktree, arguments, data=data, extra=extra)
    if done.code != 0:
        raise _failed(arguments, done)
    return done.out


def ask_git(
    gitdir: Path, worktree: Path | None, arguments: Sequence[str], *, data: bytes = b"", extra: Mapping[str, str] | None = None
) -> Answer:
    """As `run_git`, where a failure is an answer too. Raises GitError, kind `no-git`."""
    command, cwd = _command(gitdir, worktree, arguments), worktree or gitdir
    try:
        done = subprocess.run(command, input=data, capture_output=True, cwd=cwd, env=environment(extra), check=False)
    except FileNotFoundError as error:
        raise _no_git() from error
    return Answer(done.returncode, done.stdout, done.stderr)


def ask_about(folder: Path, arguments: Sequence[str]) -> str:
    """What `git rev-parse` or `git config` says in a folder: it starts nothing, and may be asked where hooks are.

    Raises:
        GitError: git is missing or failed.
    """
    try:
        done = subprocess.run(["git", *_QUIET, *arguments], capture_output=True, cwd=folder, env=environment(), check=False)
    except FileNotFoundError as error:
        raise _no_git() from error
    if done.returncode != 0:
        raise _failed(arguments, Answer(done.returncode, done.stdout, done.stderr))
    return done.stdout.decode("utf-8", "surrogateescape")


def git_lines(
    gitdir: Path, arguments: Sequence[str], *, longest: int, data: bytes = b"", extra: Mapping[str, str] | None = None
) -> Iterator[bytes]:
    """The lines that git prints, one at a time, so that any number of them needs no memory.

    Git must read all of `data` before it prints.

    Raises:
        GitError: git is missing or failed; kind `too-long`: a line has more than `longest` bytes.
    """
    with TemporaryFile() as said:
        try:
            child = subprocess.Popen(
                _command(gitdir, None, arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                cwd=gitdir,
                env=environment(extra),
            )
        except FileNotFoundError as error:
            raise _no_git() from error
        with child:
            try:
                yield from _lines(child, data, longest)
            except BaseException:
                child.kill()
                raise
        if child.returncode != 0:
            said.seek(0)
            raise _failed(arguments, Answer(child.returncode, b"", said.read(1 << 16)))


def _lines(child: subprocess.Popen[bytes], data: bytes, longest: int) -> Iterator[bytes]:
    assert child.stdin is not None and child.stdout is not None  # noqa: PT018 - both are pipes
    with suppress(BrokenPipeError):  # it failed: its exit code says so
        child.stdin.write(data)
        child.stdin.close()
    while line := child.stdout.readline(longest + 1):
        if len(line) > longest:
            raise GitError(f"git printed a line of more than {longest:,} bytes", kind="too-long")
        yield line.removesuffix(b"\n")


def _command(gitdir: Path, worktree: Path | None, arguments: Sequence[str]) -> list[str]:
    place = [f"--git-dir={gitdir}", *([f"--work-tree={worktree}"] if worktree else [])]
    return ["git", *SAFE, *place, *arguments]


def _no_git() -> GitError:
    return GitError("git is not installed", kind="no-git", hint="install git 2.30 or newer")


def _failed(arguments: Sequence[str], done: Answer) -> GitError:
    said = last_words(done.err.decode("utf-8", "replace"))
    verb = next((word for word in arguments if not word.startswith("-") and "=" not in word), "")
    return GitError(f"git {verb} failed: {said or f'exit code {done.code}'}")


def last_words(said: str) -> str:
    """The last line that says what went wrong, of all that git printed; "" when there is none."""
    lines = [line.strip() for line in said.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("hint:", "Cloning into"))]
    causes = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    last = (causes or lines or [""])[-1]
    return last.removeprefix("fatal: ").removeprefix("error: ")
