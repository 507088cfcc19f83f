"""Taking runs away: their tags go; what only they reach goes later, by gc."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from gitmlog.core.atomic import storage_errors
from gitmlog.core.errors import GitmlogError
from gitmlog.git.exchange import choose_git_remote, git_remotes
from gitmlog.git.plumbing import run_git
from gitmlog.git.refs import RefChange, change_refs, read_refs
from gitmlog.ops.runs.accept import refuse_live
from gitmlog.ops.runs.find import Found, find
from gitmlog.ops.runs.published import published_runs
from gitmlog.ops.runs.settle import archived_there
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.tags import ARCHIVE, PREFIX


@dataclass(frozen=True)
class Removed:
    """A run that was removed.

    Attributes:
        run: its id.
        undo: the command that brings it back.
        kept: whether a branch, or a tag that is no run's, still reaches its commit, so that nothing else goes.
        published: whether a git remote was seen to have it.
        there: the commands that take it away from the git remotes that have it.
    """

    run: str
    undo: str
    kept: bool
    published: bool
    there: tuple[str, ...] = ()


def remove(ws: Workspace, specs: Sequence[str]) -> list[Removed]:
    """Delete the tags of these runs, all or none.

    Raises:
        NotFoundError: kind `no-run`.
        UsageError: kind `ambiguous-run`: a name that several runs have.
        RefusedError: kind `run-live`.
        GitError: kind `ref-changed`.
    """
    chosen = {found.record.id: found for found in (find(ws, spec, unique=True) for spec in specs)}
    for found in chosen.values():
        refuse_live(found, "removed")
    refs = read_refs(ws.git, ["refs/heads", "refs/remotes", "refs/tags", ARCHIVE])
    others = [name for name in refs if not name.startswith((PREFIX, ARCHIVE))]
    published = published_runs(ws, {found.record.id: found.tag_object for found in chosen.values()})
    places = {run: [ref for ref in (PREFIX + run, ARCHIVE + run) if ref in refs] for run in chosen}
    done = [
        Removed(run, _undo(found), _is_reached(ws, found.commit, others), run in published, _there(ws, found, run in published))
        for run, found in chosen.items()
    ]
    with storage_errors("removing runs"):
        change_refs(ws.git, [RefChange(ref, None, refs[ref]) for each in places.values() for ref in each])
    return done


def _undo(found: Found) -> str:
    return f"git update-ref {found.ref} {found.tag_object}"


def _there(ws: Workspace, found: Found, published: bool) -> tuple[str, ...]:
    """A run that is older than this clone came from where the branch does."""
    having = [name for name in git_remotes(ws.git) if found.tag_object in ws.pushed.published([name])]
    if published and not having:
        with suppress(GitmlogError):
            having = [choose_git_remote(ws.git, None)]
    archived = {name for name in having if found.tag_object in archived_there(ws, name)}
    names = {name: f"{ARCHIVE if name in archived else 'run/'}{found.record.id}" for name in having}
    return tuple(f"git push {shlex.quote(name)} --delete {ref}" for name, ref in names.items())


def _is_reached(ws: Workspace, commit: str, refs: Sequence[str]) -> bool:
    for start in range(0, len(refs), 1000):
        part = ["for-each-ref", "--count=1", "--format=x", "--contains", commit, *refs[start : start + 1000]]
        if run_git(ws.git.gitdir, None, part).strip():
            return True
    return False
