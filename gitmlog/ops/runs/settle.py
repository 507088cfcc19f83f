"""Whether runs are archived, here and on a git remote: whoever changed it since both were last seen to agree is right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gitmlog.core.atomic import storage_errors
from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import GitError
from gitmlog.core.paths import display
from gitmlog.git.exchange import chunks, delete_remote_refs, push_refs
from gitmlog.git.refs import RefChange, change_refs, read_refs
from gitmlog.ops.runs.find import Found
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.record import is_run_id
from gitmlog.runs.tags import ARCHIVE, PREFIX

_SEEN = "archived:"


@dataclass(frozen=True)
class Settled:
    """Ids of the runs that were archived, of those that were taken back, and what could not be done."""

    archived: tuple[str, ...] = ()
    unarchived: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def archived_there(ws: Workspace, remote: str) -> set[str]:
    """The tag objects of runs that were archived on this git remote when it was last asked."""
    return {str(tag) for tag in ws.pushed.known(_SEEN + remote)}


def settle_there(ws: Workspace, remote: str, chosen: Sequence[Found], theirs: Mapping[str, str]) -> Settled:
    """Archive on the git remote what was archived here since, and the other way; all of `chosen` are there.

    The new ref is there before the old one goes, in two pushes: a server may refuse refs/gitmlog, and take the deletion.

    Raises:
        GitError: the new refs were not taken.
    """
    seen = archived_there(ws, remote)
    to, back = list[Found](), list[Found]()
    for found in chosen:
        there = ARCHIVE + found.record.id in theirs
        if found.archived and PREFIX + found.record.id in theirs and (there or found.tag_object not in seen):
            to.append(found)
        elif not found.archived and there and found.tag_object in seen:
            back.append(found)
    wanted = sorted({*(ARCHIVE + run for run in _ids(to)), *(PREFIX + run for run in _ids(back))} - theirs.keys())
    for refs in chunks(wanted):
        push_refs(ws.git, remote, refs)
    gone = [PREFIX + run for run in _ids(to)] + [ARCHIVE + run for run in _ids(back)]
    notes = _delete(ws, remote, {ref: theirs[ref] for ref in gone})
    moved = set() if notes else {found.tag_object for found in (*to, *back)}
    _remember(ws, remote, {each.tag_object: each.archived for each in chosen if not notes or each not in (*to, *back)})
    _clear_tags(ws, [each for each in chosen if each.archived])
    return Settled(_moved(to, moved), _moved(back, moved), notes)


def settle_here(ws: Workspace, remote: str, theirs: Mapping[str, str]) -> Settled:
    """Archive here what was archived on the git remote since, and the other way: tags of the very same object alone."""
    ours, seen = read_refs(ws.git, [PREFIX, ARCHIVE]), archived_there(ws, remote)
    changes, to, back, state = list[RefChange](), list[str](), list[str](), dict[str, bool]()
    for run in sorted({run for ref in theirs if is_run_id(run := _run(ref))}):
        tag, archive = PREFIX + run, ARCHIVE + run
        oid, there, here = theirs.get(archive, theirs.get(tag, "")), archive in theirs, archive in ours
        if {oid} != {refs[ref] for refs in (ours, theirs) for ref in (tag, archive) if ref in refs}:
            continue
        state[oid] = there
        if there and tag in ours and (here or oid not in seen):
            changes += _move(ours, tag, archive)
            to += [] if here else [run]
        elif not there and here and oid in seen:
            changes += _move(ours, archive, tag)
            back.append(run)
    with storage_errors("archiving runs"):
        change_refs(ws.git, changes)
    _remember(ws, remote, state)
    return Settled(tuple(to), tuple(back))


def _run(ref: str) -> str:
    return ref.removeprefix(PREFIX).removeprefix(ARCHIVE)


def _ids(runs: Iterable[Found]) -> list[str]:
    return [found.record.id for found in runs]


def _moved(runs: Sequence[Found], moved: set[str]) -> tuple[str, ...]:
    return tuple(sorted(found.record.id for found in runs if found.tag_object in moved))


def _move(refs: Mapping[str, str], source: str, target: str) -> list[RefChange]:
    return [*([] if target in refs else [RefChange(target, refs[source], None)]), RefChange(source, None, refs[source])]


def _delete(ws: Workspace, remote: str, gone: Mapping[str, str]) -> tuple[str, ...]:
    """What is said when the git remote keeps them: the runs are there, and a server may forbid to delete."""
    try:
        for refs in chunks(sorted(gone)):
            delete_remote_refs(ws.git, remote, {ref: gone[ref] for ref in refs})
    except GitError as error:
        return (f"git remote {display(remote)} keeps tags of archived runs: {error.message}",)
    return ()


def _clear_tags(ws: Workspace, archived: Sequence[Found]) -> None:
    """`git fetch` brought tags back as long as the git remote had them."""
    refs = read_refs(ws.git, [PREFIX]) if archived else {}
    here = [found for found in archived if refs.get(PREFIX + found.record.id) == found.tag_object]
    with storage_errors("archiving runs"):
        change_refs(ws.git, [RefChange(PREFIX + found.record.id, None, found.tag_object) for found in here])


def _remember(ws: Workspace, remote: str, state: Mapping[str, bool]) -> None:
    """Only what changed is written: a fetch of ten thousand runs costs no write each."""
    seen = archived_there(ws, remote)
    fresh = [ObjectId(tag) for tag, archived in state.items() if archived and tag not in seen]
    stale = [ObjectId(tag) for tag, archived in state.items() if not archived and tag in seen]
    if fresh:
        ws.pushed.record(_SEEN + remote, fresh)
    if stale:
        ws.pushed.forget(_SEEN + remote, stale)
