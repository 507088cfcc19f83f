"""Moving runs out of the sight of `git tag`, and back: the same tag object under another ref (spec: tags.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gitmlog.core.atomic import storage_errors
from gitmlog.core.errors import RefusedError, UsageError
from gitmlog.core.paths import display
from gitmlog.core.progress import SILENT, Progress
from gitmlog.git.exchange import git_remotes
from gitmlog.git.refs import RefChange, change_refs, read_refs
from gitmlog.ops.runs.accept import refuse_live
from gitmlog.ops.runs.find import Found, find, search
from gitmlog.ops.runs.published import published_runs
from gitmlog.ops.runs.settle import archived_there
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.tags import ARCHIVE, PREFIX

_AGE = re.compile(r"(\d{1,6})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True)
class Archived:
    """What was moved, or with `dry_run` would be.

    Attributes:
        runs: their ids, oldest first.
        already: chosen runs that were where they should go.
        undone: whether they were moved back.
        dry_run: nothing was moved.
        published: how many of them a git remote is known to have otherwise: as tags, or with `undone` archived.
    """

    runs: tuple[str, ...]
    already: int
    undone: bool
    dry_run: bool
    published: int = 0


@dataclass(frozen=True)
class ArchiveOptions:
    """Which runs besides those that are named, and what to do.

    Attributes:
        where: a condition (`gitmlog help runs`).
        older_than: an age like `30d`, `12h` or `8w`, by when the run started.
        undo: move them back.
        dry_run: only say which.
    """

    where: str | None = None
    older_than: str | None = None
    undo: bool = False
    dry_run: bool = False


def archive(
    ws: Workspace,
    specs: Sequence[str],
    options: ArchiveOptions | None = None,
    *,
    now: datetime | None = None,
    progress: Progress = SILENT,
) -> Archived:
    """Move the tags of the chosen runs, all or none.

    Raises:
        UsageError: nothing, or two ways to choose; kind `bad-value`: no age.
        NotFoundError: kind `no-run`.
        RefusedError: kinds `run-live`; `tag-differs`: another tag of that name is at the place.
        GitError: kind `ref-changed`.
    """
    options = options or ArchiveOptions()
    chosen = _choose(ws, specs, options, now or datetime.now(UTC), progress)
    refs = read_refs(ws.git, [PREFIX, ARCHIVE])
    source, target = (ARCHIVE, PREFIX) if options.undo else (PREFIX, ARCHIVE)
    moved = sorted({found.record.id for found in chosen if source + found.record.id in refs})
    changes = [change for run in moved for change in _moves(refs, source + run, target + run)]
    if not options.dry_run:
        with storage_errors("archiving runs"):
            change_refs(ws.git, changes)
    already = len({found.record.id for found in chosen}) - len(moved)
    published = _published(ws, {run: refs[source + run] for run in moved}, undo=options.undo)
    return Archived(tuple(moved), already, options.undo, options.dry_run, published)


def _published(ws: Workspace, tags: Mapping[str, str], *, undo: bool) -> int:
    archived = {tag for remote in git_remotes(ws.git) for tag in archived_there(ws, remote)}
    if undo:
        return sum(tag in archived for tag in tags.values())
    return sum(tags[run] not in archived for run in published_runs(ws, tags)) if git_remotes(ws.git) else 0


def _choose(ws: Workspace, specs: Sequence[str], options: ArchiveOptions, now: datetime, progress: Progress) -> Sequence[Found]:
    filtered = options.where is not None or options.older_than is not None
    if bool(specs) == filtered:
        hint = "gitmlog runs archive RUN…, or gitmlog runs archive --older-than 90d, or --where 'metrics.acc < 0.5'"
        raise UsageError(
            "name runs, or choose them by --where and --older-than"
            if not specs
            else "name runs or choose them by options, not both",
            hint=hint,
        )
    if specs:
        found = [find(ws, spec, unique=True) for spec in specs]
        for each in found:
            refuse_live(each, "archived")
        return found
    before = now - _age(options.older_than) if options.older_than is not None else None
    runs = search(ws, options.where, progress=progress).runs
    return [run for run in runs if not run.live and (before is None or run.record.started < before)]


def _age(text: str) -> timedelta:
    if (found := _AGE.fullmatch(text)) is None:
        raise UsageError(f"{display(text)} is no age", kind="bad-value", hint="a number and h, d or w: 12h, 30d, 8w")
    return timedelta(hours=int(found[1]) * _HOURS[found[2]])


def _moves(refs: dict[str, str], source: str, target: str) -> list[RefChange]:
    """A tag that is at both places, as after a fetch from somebody who archived it, only goes from the first."""
    here, there = refs[source], refs.get(target)
    if there not in (None, here):
        hint = f"nothing was moved; look at both (`git show {target}`), and delete the wrong one: `git update-ref -d REF`"
        raise RefusedError(f"{target} is there already, and names another tag", kind="tag-differs", hint=hint)
    return [*([RefChange(target, here, None)] if there is None else []), RefChange(source, None, here)]
