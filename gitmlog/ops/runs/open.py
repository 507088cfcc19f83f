"""Opening a run for logging: a new one, one that is resumed, or one that another process records."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gitmlog.core.errors import GitmlogError, NotFoundError, RefusedError
from gitmlog.core.secrets import Scrubber, secret_values
from gitmlog.git.durable import ref_target
from gitmlog.ops.runs.begin import Begin, begin
from gitmlog.ops.runs.folder import RunFolder, run_folders
from gitmlog.ops.runs.live import LiveRun, Tell
from gitmlog.ops.runs.products import stat_of
from gitmlog.ops.runs.surroundings import observe, without
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.fold import fold
from gitmlog.runs.journal import BATCH, read_journals
from gitmlog.runs.record import is_run_id
from gitmlog.runs.tags import PREFIX


@dataclass(frozen=True)
class OpenOptions:
    """How a run is opened.

    Attributes:
        name: the user's name for it, or None.
        outputs: paths, as written in `folder`, that it will write.
        results: likewise, files that it writes and that are not kept as outputs.
        parent: the id of the run that it is nested in, or "".
        resume: which earlier run it goes on from, or None.
        command: what runs.
        folder: the current folder; None is the process's own.
        interpreter: the Python that a launched program runs on, where it is not this process's, else "".
        capture: whether what this process prints is kept (a launched program's is kept by who launched it).
    """

    name: str | None = None
    outputs: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    parent: str = ""
    resume: str | None = None
    command: tuple[str, ...] = ()
    folder: Path | None = None
    capture: bool = True
    interpreter: str = ""


def open_run(ws: Workspace, options: OpenOptions, variables: Mapping[str, str], tell: Tell) -> LiveRun:
    """Start a run, or go on with one that was killed. `variables` is the environment, `tell` is told warnings.

    Raises:
        as `gitmlog.ops.runs.begin.begin`; NotFoundError: kind `no-run`; RefusedError: kind `run-live`.
    """
    scrub = Scrubber(secret_values(variables))
    killed = _killed(ws, options.resume) if options.resume else None
    live = _reopen(ws, killed, options, scrub, tell) if killed else _new(ws, options, scrub, tell)
    observe(live, variables, scrub, capturing=options.capture, interpreter=options.interpreter)
    return live


def _new(ws: Workspace, options: OpenOptions, scrub: Scrubber, tell: Tell) -> LiveRun:
    left_out = without(ws)
    earlier = _recorded(ws, options.resume) if options.resume else None
    how = Begin(
        name=scrub.text(options.name) if options.name else options.name,
        command=() if "command" in left_out else scrub.command(options.command),
        folder=options.folder or Path.cwd(),
        outputs=options.outputs,
        results=options.results,
        scrub=scrub.text,
        parent=options.parent,
        resumes=earlier.record.id if earlier else "",
        with_code="code" not in left_out,
        with_user="user" not in left_out,
    )
    if earlier is not None and how.name is None:
        how = replace(how, name=earlier.record.name)
    begun = begin(ws, how)
    for text in begun.facts["warnings"]:
        tell(f"run {begun.folder.id}: {text}")
    live = LiveRun(ws, begun.folder, begun.facts, owner=begun.owner, scrub=scrub, tell=tell)
    if earlier is not None:
        _carry_over(live, earlier)
    return live


def _recorded(ws: Workspace, spec: str) -> Any:
    from gitmlog.ops.runs.find import find

    found = find(ws, spec)
    if found.live:
        raise RefusedError(f"run {found.record.id} goes on", kind="run-live", hint="wait for its end, or start a run of its own")
    return found


def _carry_over(live: LiveRun, earlier: Any) -> None:
    """Parameters and histories of the run that this one goes on from; the outputs and artifacts stay its own."""
    from gitmlog.ops.runs.contents import histories

    live.log_params(dict(earlier.record.params))
    try:
        values = histories(live.ws, earlier)
    except GitmlogError as error:
        live.trouble("the histories of the run that this one resumes could not be had", error)
        return
    rows = [(key, point.value, point.step, point.time) for key, points in values.items() for point in points]
    for start in range(0, len(rows), BATCH):
        live.journal.write("metrics", rows[start : start + BATCH])


def _killed(ws: Workspace, spec: str) -> RunFolder | None:
    """The folder of a run that was not recorded, by its id, a beginning of it, or its name."""
    for folder in reversed(list(run_folders(ws.home))):
        if not folder.is_started or ref_target(ws.git, PREFIX + folder.id):
            continue  # it is recorded, only its folder is still there
        try:
            named = folder.read_start().get("name") == spec
        except GitmlogError:
            continue
        if named or folder.id.startswith(spec.removeprefix("run/")):
            return folder
    return None


def _reopen(ws: Workspace, folder: RunFolder, options: OpenOptions, scrub: Scrubber, tell: Tell) -> LiveRun:
    try:
        owner = folder.take()
    except BlockingIOError as error:
        hint = "wait for its end, or end its process"
        raise RefusedError(f"run {folder.id} goes on in another process", kind="run-live", hint=hint) from error
    folder.check()
    facts = folder.read_start()
    base = options.folder or Path.cwd()
    facts["outputs"] |= {path: stat_of(ws.root / path) for path in (ws.relative(each, base) for each in options.outputs)}
    folder.write_start(facts)
    live = LiveRun(ws, folder, facts, owner=owner, scrub=scrub, tell=tell)
    before = fold(read_journals(folder.path))
    live.params = before.params
    live.add_time(max(0.0, before.last - live.started_at))
    if before.end is not None:
        live.journal.write("resume")
    live.warn(f"it was killed, and resumed at {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC")
    return live


def join_run(folder: Path, user_config: Path | None, variables: Mapping[str, str], tell: Tell) -> LiveRun | None:
    """Log into the run of `folder`, which another process records; None when that run is over (the variable is a left-over).

    Raises:
        NotFoundError: kind `no-repository`.
    """
    run = RunFolder(folder)
    if not is_run_id(run.id) or not run.is_started:
        return None
    try:
        facts = run.read_start()
    except NotFoundError:
        return None
    ws = Workspace.open(Path(facts["worktree"]), user_config)
    if not run.path.is_relative_to(ws.home):
        return None
    live = LiveRun(ws, run, facts, owner=None, scrub=Scrubber(secret_values(variables)), tell=tell)
    live.params = fold(read_journals(run.path, "param")).params
    return live
