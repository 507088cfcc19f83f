"""What needs the user's own git, by GitPython: clone, commit, identity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gitmlog.core.errors import GitError, NotFoundError, UsageError
from gitmlog.git.plumbing import environment
from gitmlog.git.repository import GitRepo

if TYPE_CHECKING:
    import git


def clone(url: str, target: Path, revision: str | None = None) -> GitRepo:
    """Clone `url` into `target` with all history and few blobs, nothing checked out; `revision` must exist in it.

    Raises:
        NotFoundError: kinds `no-repository`, `no-revision`.
        UsageError: kind `bad-url`.
    """
    import git

    if url.startswith("-"):
        raise UsageError(f"{url!r} is no repository", kind="bad-url")
    options = ["--no-checkout", "--quiet", "--no-local", "--config=core.hooksPath=/dev/null", "--config=core.fsmonitor=false"]
    try:
        git.Repo.clone_from(url, target, env=environment(), multi_options=options, allow_unsafe_options=True)
    except git.exc.UnsafeProtocolError as error:
        raise UsageError(f"{url!r} names a command, not a repository", kind="bad-url") from error
    except git.exc.GitCommandError as error:
        said = _said(error)
        raise NotFoundError(
            f"{url} cannot be cloned: {said}", kind="no-repository", hint="check the address: `git ls-remote` it"
        ) from error
    repo = GitRepo.discover(target)
    if revision is not None and not repo.is_unborn:
        repo.resolve(revision)
    return repo


def commit_paths(repo: GitRepo, paths: list[str], message: str) -> bool:
    """Commit these paths alone as the user; False when git would not (no identity, a merge under way)."""
    import git

    command = git.cmd.Git(repo.worktree)
    try:
        command.execute(
            ["git", "-c", "core.fsync=all", "commit", "--quiet", "-m", message, "--only", "--", *paths], env=environment()
        )
    except git.exc.GitCommandError:
        return False
    return True


def _said(error: git.exc.GitCommandError) -> str:
    text = str(error.stderr).strip().removeprefix("stderr:").strip(" '\n")
    lines = [line.removeprefix("fatal: ") for line in text.splitlines() if line.strip() and not line.startswith("Cloning into")]
    return lines[-1] if lines else "git failed"


def check_identity(repo: GitRepo) -> None:
    """Raise GitError, kind `no-identity`, when git does not know who commits."""
    config = repo.handle.config
    if "user.name" not in config or "user.email" not in config:
        hint = 'git config --global user.name "Your Name"; git config --global user.email you@example.org'
        raise GitError("git does not know who you are", kind="no-identity", hint=hint)
