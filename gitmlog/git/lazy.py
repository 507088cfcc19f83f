"""What a partial clone has left out, brought by the user's git when it is asked for: with its own program on the other side."""

from __future__ import annotations

from gitmlog.core.errors import GitError
from gitmlog.git.exchange import program_there
from gitmlog.git.plumbing import run_git
from gitmlog.git.repository import GitRepo

_FETCH = (
    "--quiet",
    "--no-tags",
    "--no-prune",
    "--no-prune-tags",
    "--no-write-fetch-head",
    "--recurse-submodules=no",
    "--refmap=",
)
_KEYS = r"^(remote\..*\.promisor|extensions\.partialclone)$"


def bring(repo: GitRepo, oid: str) -> None:
    """Fetch one object from where this clone keeps what it has left out; nothing when it is no partial clone.

    git would fetch it unasked, but would run what `remote.NAME.uploadpack` names, on this machine when the remote is a folder.

    Raises:
        GitError: it could not be fetched.
    """
    failed: GitError | None = None
    for remote in _promisors(repo):
        options = [*_FETCH, "--no-auto-maintenance", "--filter=blob:none", *program_there(repo, remote), "--stdin", "--", remote]
        command = ["-c", "fetch.negotiationAlgorithm=noop", "fetch", *options]
        try:
            run_git(repo.gitdir, repo.worktree, command, data=f"{oid}\n".encode())
        except GitError as error:
            failed = error
        else:
            return
    if failed is not None:
        raise failed


def _promisors(repo: GitRepo) -> list[str]:
    """The remotes that promise what is not here; libgit2 does not read all the files that may say so."""
    try:
        said = run_git(repo.gitdir, repo.worktree, ["config", "-z", "--get-regexp", _KEYS])
    except GitError:  # there is none
        return []
    names = []
    for entry in said.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = entry.partition("\n")
        if key == "extensions.partialclone":
            names.append(value)
        elif key and value.lower() not in ("false", "no", "off", "0"):
            names.append(key.removeprefix("remote.").removesuffix(".promisor"))
    return list(dict.fromkeys(name for name in names if name and not name.startswith("-")))
