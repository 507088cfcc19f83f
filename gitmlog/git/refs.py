"""Moving refs: several at once, each only from the value that it was seen to have, durable when it returns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gitmlog.core.atomic import sync_filesystem
from gitmlog.core.errors import GitError
from gitmlog.git.identity import identity
from gitmlog.git.plumbing import run_git
from gitmlog.git.repository import GitRepo

_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NAME = re.compile(r"(?:HEAD|refs/[^\x00-\x20\x7f ~^:?*\[\\]+)")


@dataclass(frozen=True)
class RefChange:
    """A ref, what it shall name (None: it goes), and what it must name now (None: it must not be there)."""

    ref: str
    new: str | None
    old: str | None


def change_refs(repo: GitRepo, changes: Sequence[RefChange], message: str = "") -> None:
    """Carry out all of `changes`, or none. `message` goes into the reflogs that there are.

    Raises:
        GitError: kinds `ref-changed`: a ref is not as it was seen; `ref-locked`: another git changes it. Nothing was changed.
    """
    if not changes:
        return
    who = identity(repo)
    extra = {"GIT_COMMITTER_NAME": who.name, "GIT_COMMITTER_EMAIL": who.email}
    data = b"".join(_line(change) for change in changes)
    try:
        run_git(repo.gitdir, None, ["update-ref", *(["-m", message] if message else []), "-z", "--stdin"], data=data, extra=extra)
    except GitError as error:
        raise _changed(error) from error
    sync_filesystem(repo.commondir)


def _line(change: RefChange) -> bytes:
    """One instruction. Raises ValueError for what no ref or id can be."""
    if not _NAME.fullmatch(change.ref) or any(oid is not None and not _ID.fullmatch(oid) for oid in (change.new, change.old)):
        raise ValueError(f"no ref: {change!r}")
    if change.new is None:
        return f"delete {change.ref}\0{change.old or ''}\0".encode("utf-8", "surrogateescape")
    if change.old is None:
        return f"create {change.ref}\0{change.new}\0".encode("utf-8", "surrogateescape")
    return f"update {change.ref}\0{change.new}\0{change.old}\0".encode("utf-8", "surrogateescape")


def _changed(error: GitError) -> GitError:
    if "cannot lock ref" not in error.message:
        return error
    if "File exists" in error.message:
        hint = "wait for the other git to end; if none runs, it was killed: delete that file"
        return GitError(error.message.removeprefix("git update-ref failed: "), kind="ref-locked", hint=hint)
    hint = "something else changed it at the same time; nothing was moved: run the command again"
    return GitError(error.message.removeprefix("git update-ref failed: "), kind="ref-changed", hint=hint)


def read_refs(repo: GitRepo, prefixes: Iterable[str]) -> dict[str, str]:
    """The refs below these prefixes: name -> the object that each names, tags not peeled."""
    lines = run_git(repo.gitdir, None, ["for-each-ref", "--format=%(objectname) %(refname)", *prefixes])
    pairs = (line.split(" ", 1) for line in lines.decode("utf-8", "surrogateescape").split("\n") if line)
    return {name: oid for oid, name in pairs}
