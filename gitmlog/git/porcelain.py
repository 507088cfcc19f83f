"""What needs the user's own git, by GitPython: clone, commit, identity."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gitmlog.core.errors import GitError, NotFoundError, UsageError
from gitmlog.git.durable import git_errors, synced_writes, write_commit, write_tree
from gitmlog.git.identity import identity
from gitmlog.git.merge import head_ref
from gitmlog.git.plumbing import environment, last_words, run_git
from gitmlog.git.refs import RefChange, change_refs
from gitmlog.git.repository import GitRepo
from gitmlog.git.staging import refresh

if TYPE_CHECKING:
    import git

_HINT = "give a folder, https://…, ssh://… or user@host:path"
_PROTOCOLS = "file:git:http:https:ssh"
_NAME = re.compile(r"(?![0-9a-f]{4,40}$)[A-Za-z0-9_][A-Za-z0-9_./+#-]*")


def clone(url: str, target: Path, revision: str | None = None) -> GitRepo:
    """Clone `url` into `target`: one commit where that will do, else all commits; few blobs; nothing checked out.

    Raises:
        NotFoundError: kinds `no-repository`, `no-revision`.
        UsageError: kind `bad-url`.
    """
    if url.startswith("-") or not url.isprintable():
        raise UsageError(f"{url!r} is no repository", kind="bad-url", hint=_HINT)
    if revision is None or _NAME.fullmatch(revision):
        shallow = ["--depth=1", *([f"--branch={revision}"] if revision else [])]
        try:
            return _clone(url, target, shallow)
        except NotFoundError:
            if revision is None:
                raise
    repo = _clone(url, target, [])
    if revision is not None and not repo.is_unborn:
        resolve_in_clone(repo, revision)
    return repo


def _clone(url: str, target: Path, more: list[str]) -> GitRepo:
    import git

    options = ["--no-checkout", "--quiet", "--no-local", "--filter=blob:none"]
    options += ["--config=core.hooksPath=/dev/null", "--config=core.fsmonitor=false", *more]
    try:
        # ext:: and its like are refused by GitPython; the protocols are named for git too, and for its own submodules
        # a folder that is cloned shall fetch nothing itself: its configuration may name commands
        allowed = environment({"GIT_ALLOW_PROTOCOL": _PROTOCOLS, "GIT_NO_LAZY_FETCH": "1"})
        git.Repo.clone_from(url, target, env=allowed, multi_options=options, allow_unsafe_options=True).close()
    except git.exc.UnsafeProtocolError as error:
        raise UsageError(f"{url!r} names a command, not a repository", kind="bad-url", hint=_HINT) from error
    except git.exc.GitCommandError as error:
        message = _without_password(f"{url} cannot be cloned: {_said(error)}")
        raise NotFoundError(message, kind="no-repository", hint="check the address: `git ls-remote` it") from error
    return GitRepo.discover(target)


def resolve_in_clone(repo: GitRepo, revision: str) -> str:
    """`revision` as a clone knows it: a branch that is not checked out is a remote-tracking one. Raises NotFoundError."""
    try:
        repo.resolve(revision)
    except NotFoundError:
        remote_branch = f"refs/remotes/origin/{revision}"
        if remote_branch not in repo.handle.references:
            raise
        return remote_branch
    return revision


def fetch_default_branch(repo: GitRepo) -> str:
    """Fetch the newest commit of a clone's default branch; returns a revision that names it. Raises GitError."""
    options = ["fetch", "--quiet", "--depth=1", "--no-tags", "--filter=blob:none", "origin", "HEAD"]
    run_git(repo.gitdir, repo.worktree, options, extra={"GIT_ALLOW_PROTOCOL": _PROTOCOLS})
    return "FETCH_HEAD"


def _without_password(text: str) -> str:
    return re.sub(r"(://[^/@\s:]*):[^/@\s]*@", r"\1:…@", text)


def commit_paths(repo: GitRepo, paths: list[str], message: str) -> bool:
    """Commit these paths alone, as the index has them, on the branch that is checked out; no other change is committed.

    It is made in memory: `git commit` would run hooks, filters and a signing program that the configuration names. False when
    that cannot be done for the user: git does not know who commits, or commits are to be signed.
    """
    who = identity(repo)
    if who.fallback or _wants_signatures(repo):
        return False
    blobs = {path: str(repo.index[path].id) for path in paths}
    ref, head = head_ref(repo)
    try:
        with git_errors(), synced_writes():
            tree = write_tree(repo, str(repo.resolve(head).tree_id), blobs)
            commit = write_commit(repo, tree, [head], f"{message}\n", who, datetime.now().astimezone())
        change_refs(repo, [RefChange(ref, commit, head)], f"commit: {message}")
    except GitError:
        return False
    with suppress(GitError):  # it is committed; git looks at the file again by itself
        refresh(repo)
    return True


def _wants_signatures(repo: GitRepo) -> bool:
    import pygit2

    try:
        return "commit.gpgsign" in repo.handle.config and repo.handle.config.get_bool("commit.gpgsign")
    except (ValueError, pygit2.GitError):
        return True


def _said(error: git.exc.GitCommandError) -> str:
    text = str(error.stderr).strip().removeprefix("stderr:").strip(" '\n")
    return last_words(text) or "git failed"


def check_identity(repo: GitRepo) -> None:
    """Raise GitError, kind `no-identity`, when git does not know who commits."""
    config = repo.handle.config
    if "user.name" not in config or "user.email" not in config:
        hint = 'git config --global user.name "Your Name"; git config --global user.email you@example.org'
        raise GitError("git does not know who you are", kind="no-identity", hint=hint)
