"""Runs to and from others: objects by the remote, then commits and tags by git; no run is published before its objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitmlog.core.errors import NotFoundError, RefusedError
from gitmlog.core.progress import SILENT, Progress
from gitmlog.git.exchange import choose_git_remote, chunks, fetch_refs, push_refs, remote_refs
from gitmlog.git.refs import read_refs
from gitmlog.ops.runs.accept import refuse_live
from gitmlog.ops.runs.find import Found, find, search
from gitmlog.ops.runs.settle import settle_here, settle_there
from gitmlog.ops.sync import SyncOptions, SyncReport, fetch_commits, push_commits
from gitmlog.repo.remotes import choose_remote, remote_spec
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.record import is_run_id
from gitmlog.runs.tags import ARCHIVE, PREFIX


@dataclass(frozen=True)
class TravelOptions:
    """Which runs, and where to.

    Attributes:
        where: a condition that they fulfil.
        runs: the ones that are named; none and no condition: all.
        git_remote: the git remote, or None for that of the branch.
    """

    where: str | None = None
    runs: tuple[str, ...] = ()
    git_remote: str | None = None


@dataclass(frozen=True)
class Travelled:
    """What a push or fetch of runs did.

    Attributes:
        git_remote: its name.
        runs: the ids of those that were sent or brought now.
        present: runs that were there already: of a push the chosen ones, of a fetch all.
        archived, unarchived: the ids of those that were archived, or taken back, there by a push, here by a fetch.
        objects: what was done for their objects; None: nothing was needed.
        notes: what else is to be said.
    """

    git_remote: str
    runs: tuple[str, ...]
    present: int
    objects: SyncReport | None = None
    notes: tuple[str, ...] = ()
    archived: tuple[str, ...] = ()
    unarchived: tuple[str, ...] = ()


def push_runs(
    ws: Workspace, options: TravelOptions | None = None, sync: SyncOptions | None = None, *, progress: Progress = SILENT
) -> Travelled:
    """Send runs: the objects of all first, then their tags; then archive there what was archived here.

    Killed half-way: run it again.

    Raises:
        NotFoundError: kinds `no-run`, `no-git-remote`, `no-remote`, `which-remote`.
        RefusedError: kind `tag-differs`: the git remote has another tag of that name; nothing was sent.
        MissingDataError: objects are neither here nor on the remote; no tag was sent.
        RemoteError, GitError: a remote did not answer; what was sent stays sent.
    """
    options, sync = options or TravelOptions(), sync or SyncOptions()
    chosen = _choose(ws, options, progress)
    if not chosen:
        return Travelled("", (), 0)
    remote = choose_git_remote(ws.git, options.git_remote, publishing=True)
    theirs = remote_refs(ws.git, remote, [PREFIX, ARCHIVE])
    _check_same({found.record.id: found.tag_object for found in chosen}, theirs, remote)
    objects = _push_objects(ws, chosen, sync, progress)
    fresh = [found for found in chosen if not _places(found.record.id, theirs)]
    with progress.task("pushing runs", len(fresh)) as task:
        for refs in chunks(sorted(found.ref for found in fresh)):
            push_refs(ws.git, remote, refs)
            task.advance(len(refs))
    ws.pushed.record_published(remote, [found.tag_object for found in chosen])
    settled = settle_there(ws, remote, chosen, theirs)
    ids = tuple(sorted(found.record.id for found in fresh))
    notes = (*(objects.notes if objects else ()), *settled.notes)
    return Travelled(remote, ids, len(chosen) - len(fresh), objects, notes, settled.archived, settled.unarchived)


def fetch_runs(
    ws: Workspace, options: TravelOptions | None = None, sync: SyncOptions | None = None, *, progress: Progress = SILENT
) -> Travelled:
    """Bring all tags of runs, archive those that are archived there, then bring the objects of the chosen ones.

    No other ref, and no file, is touched.

    Raises:
        NotFoundError: kinds `no-run`, `no-git-remote`, `no-remote`, `which-remote`.
        RefusedError: kind `tag-differs`: another tag of that name is here; nothing was brought.
        MissingDataError, DataError, RemoteError, GitError: the tags, and the objects that could be had, are here.
    """
    options, sync = options or TravelOptions(), sync or SyncOptions()
    remote = choose_git_remote(ws.git, options.git_remote)
    theirs, ours = remote_refs(ws.git, remote, [PREFIX, ARCHIVE]), read_refs(ws.git, [PREFIX, ARCHIVE])
    known = {run: ours[ref] for ref in ours if is_run_id(run := _run(ref))}
    _check_same(known, theirs, remote)
    fresh = sorted({run for ref in theirs if is_run_id(run := _run(ref))} - known.keys())
    fetch_refs(ws.git, remote, [_places(run, theirs)[-1] for run in fresh], progress)
    ws.pushed.record_published(remote, {tag for ref, tag in theirs.items() if is_run_id(_run(ref))})
    settled = settle_here(ws, remote, theirs)
    chosen = _choose(ws, options, progress)
    objects = fetch_commits(ws, [found.commit for found in chosen], sync, progress=progress)
    notes = objects.notes if objects else ()
    return Travelled(remote, tuple(fresh), len(known), objects, notes, settled.archived, settled.unarchived)


def _run(ref: str) -> str:
    return ref.removeprefix(PREFIX).removeprefix(ARCHIVE)


def _places(run: str, refs: Mapping[str, str]) -> list[str]:
    """Where the run is: its tag, its archived tag, both or none."""
    return [ref for ref in (PREFIX + run, ARCHIVE + run) if ref in refs]


def _choose(ws: Workspace, options: TravelOptions, progress: Progress) -> list[Found]:
    named = {found.record.id: found for found in (find(ws, spec, unique=True) for spec in options.runs)}
    for found in named.values():
        refuse_live(found, "sent")
    if options.runs and options.where is None:
        return list(named.values())
    runs = [found for found in search(ws, options.where, progress=progress).runs if not found.live]
    return [found for found in runs if not options.runs or found.record.id in named]


def _check_same(ours: Mapping[str, str], theirs: Mapping[str, str], remote: str) -> None:
    for run, tag in ours.items():
        for ref in _places(run, theirs):
            if theirs[ref] != tag:
                message = (
                    f"run {run} is another one on git remote {remote!r}: its tag there is {theirs[ref][:10]}, here {tag[:10]}"
                )
                hint = f"none is overwritten; take the wrong one away: `gitmlog runs rm {run}`, or git push {remote} -d run/{run}"
                raise RefusedError(message, kind="tag-differs", hint=hint)


def _push_objects(ws: Workspace, chosen: Sequence[Found], sync: SyncOptions, progress: Progress) -> SyncReport | None:
    """Those of runs whose objects were seen on the remote before are not asked for again."""
    url = _url(ws, sync)
    known = ws.pushed.runs(url) if url else set()
    commits = [found.commit for found in chosen if found.tag_object not in known]
    report = push_commits(ws, commits, sync, progress=progress) if commits else None
    if url:
        ws.pushed.record_runs(url, [found.tag_object for found in chosen])
    return report


def _url(ws: Workspace, sync: SyncOptions) -> str | None:
    try:
        return remote_spec(ws.config, choose_remote(ws.config, sync.remote)).url
    except NotFoundError:
        if sync.remote is not None:
            raise
        return None
