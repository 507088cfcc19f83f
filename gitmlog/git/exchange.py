"""Refs of runs between this repository and a git remote, by the user's own git: none is overwritten, none pruned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gitmlog.core.atomic import sync_filesystem
from gitmlog.core.errors import GitError, NotFoundError
from gitmlog.core.paths import display
from gitmlog.core.progress import SILENT, Progress
from gitmlog.git.plumbing import ask_git, last_words
from gitmlog.git.repository import GitRepo

CHUNK = 500
_SHOWN = 5
_FETCH = ("--quiet", "--no-tags", "--no-prune", "--no-prune-tags", "--no-write-fetch-head", "--no-recurse-submodules")
_FETCH_STDIN = (*_FETCH, "--no-auto-maintenance", "--refmap=", "--stdin")
_PUSH = ("--quiet", "--porcelain", "--no-follow-tags", "--no-signed", "--recurse-submodules=no")


def git_remotes(repo: GitRepo) -> list[str]:
    """The names of git's remotes; one that git would take for an option is none."""
    return [name for name in repo.handle.remotes.names() if name and not name.startswith("-")]


def choose_git_remote(repo: GitRepo, name: str | None, *, publishing: bool = False) -> str:
    """The git remote to use: the one asked for, that of the branch, the only one, or `origin`.

    Raises:
        NotFoundError: kind `no-git-remote`.
    """
    names = git_remotes(repo)
    if name is not None and name not in names:
        hint = f"there are: {', '.join(map(display, names))}" if names else "git remote add origin URL"
        raise NotFoundError(f"git has no remote {display(name)}", kind="no-git-remote", hint=hint)
    wanted = [name, *_configured(repo, publishing=publishing), names[0] if len(names) == 1 else None, "origin"]
    found = next((each for each in wanted if each in names), None)
    if found is None:
        if names:
            hint = f"say which: --git-remote NAME (there are {', '.join(map(display, names))})"
            raise NotFoundError("git has several remotes, and none is the branch's", kind="no-git-remote", hint=hint)
        hint = "runs travel as git tags: git remote add origin URL"
        raise NotFoundError("git has no remote to take runs to or from", kind="no-git-remote", hint=hint)
    return found


def _configured(repo: GitRepo, *, publishing: bool) -> list[str | None]:
    branch = "" if repo.handle.head_is_detached else str(repo.handle.references["HEAD"].target).removeprefix("refs/heads/")
    keys = [f"branch.{branch}.pushremote", "remote.pushdefault"] if publishing else []
    config = repo.handle.config
    return [config[key] for key in (*keys, f"branch.{branch}.remote") if key in config]


def remote_refs(repo: GitRepo, remote: str, prefixes: Sequence[str]) -> dict[str, str]:
    """The refs below these prefixes that a git remote has: name -> object, tags not peeled. Raises GitError."""
    patterns = [f"{prefix}*" for prefix in prefixes]
    said = _git(repo, remote, ["ls-remote", "--quiet", "--refs", *program_there(repo, remote), "--", remote, *patterns])
    pairs = (line.split("\t", 1) for line in said.decode("utf-8", "surrogateescape").split("\n") if "\t" in line)
    return {name: oid for oid, name in pairs if name.startswith(tuple(prefixes))}


def push_refs(repo: GitRepo, remote: str, refs: Sequence[str]) -> None:
    """Send these refs under their own names, with all that they reach. Raises GitError: none, or only some, was taken."""
    program = program_there(repo, remote, publishing=True)
    _git(repo, remote, ["push", *_PUSH, *program, "--", remote, *(f"{ref}:{ref}" for ref in refs)])


def delete_remote_refs(repo: GitRepo, remote: str, refs: Mapping[str, str]) -> None:
    """Take these refs away there, each only while it names this very object. Raises GitError: none, or only some, went."""
    leases = [f"--force-with-lease={ref}:{oid}" for ref, oid in refs.items()]
    if refs:
        program = program_there(repo, remote, publishing=True)
        _git(repo, remote, ["push", *_PUSH, *program, *leases, "--", remote, *(f":{ref}" for ref in refs)])


def fetch_refs(repo: GitRepo, remote: str, refs: Iterable[str], progress: Progress = SILENT) -> None:
    """Bring these refs, which must not be here, and all that they reach; no other ref is touched. Durable. Raises GitError."""
    wanted = list(refs)
    program = program_there(repo, remote) if wanted else ()
    with progress.task("fetching runs", len(wanted)) as task:
        for chunk in chunks(wanted):
            lines = "".join(f"{ref}:{ref}\n" for ref in chunk).encode("utf-8", "surrogateescape")
            _git(repo, remote, ["fetch", *_FETCH_STDIN, *program, "--", remote], lines)
            task.advance(len(chunk))
    if wanted:
        sync_filesystem(repo.commondir)


def chunks(items: Sequence[str]) -> Iterable[Sequence[str]]:
    """At most so many at once that a command line can hold them."""
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))


def program_there(repo: GitRepo, remote: str, *, publishing: bool = False) -> tuple[str, ...]:
    """The option that names git's own program for the other side, where that is run on this machine.

    `remote.NAME.uploadpack` and `receivepack` say where it is on a server, and count there; for a folder they would be
    commands that whoever wrote .git/config runs here.
    """
    said = _git(repo, remote, ["remote", "get-url", "--all", *(["--push"] if publishing else []), "--", remote])
    if not any(_is_folder(url) for url in said.decode("utf-8", "surrogateescape").splitlines()):
        return ()
    return ("--receive-pack=git-receive-pack",) if publishing else ("--upload-pack=git-upload-pack",)


def _is_folder(url: str) -> bool:
    """As git decides it: a scheme, or a colon before the first slash, is another machine."""
    return url.startswith("file://") or ("://" not in url and ":" not in url.partition("/")[0])


def _git(repo: GitRepo, remote: str, arguments: Sequence[str], data: bytes = b"") -> bytes:
    done = ask_git(repo.gitdir, repo.worktree, arguments, data=data)
    if done.code == 0:
        return done.out
    said = done.err.decode("utf-8", "replace")
    refused, hints = _server_words(said)
    if refused:
        raise GitError(f"git remote {display(remote)} refused it: {refused}", hint=hints or "nothing was taken there")
    hint = f"`git ls-remote {display(remote)}` tries it; then run the command again: what was sent is not sent again"
    raise GitError(f"git remote {display(remote)}: git {arguments[0]} failed: {last_words(said)}", hint=hint)


def _server_words(said: str) -> tuple[str, str]:
    """What a hook on the server says: its errors, and its hints."""
    lines = [line.removeprefix("remote: ").strip() for line in said.splitlines() if line.startswith("remote: ")]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    hints = [line.removeprefix("hint: ") for line in lines if line.startswith("hint: ")]
    return "; ".join(errors[:_SHOWN]), "; ".join(dict.fromkeys(hints[:_SHOWN]))
