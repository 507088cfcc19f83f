"""Runs that go on: start and end (spec: run.md).

A run is one for the whole process, so that every thread logs into it; child processes find it by the variable GITMLOG_RUN.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitmlog.api import process, stack
from gitmlog.api.active import ActiveRun
from gitmlog.api.process import USER_CONFIG, AnyPath, config_file
from gitmlog.api.recorded import Run, get_run
from gitmlog.api.stack import RUNS
from gitmlog.core.errors import GitmlogError, UsageError
from gitmlog.ops.runs.keep import expect_output

if TYPE_CHECKING:
    from gitmlog.ops.runs.open import OpenOptions


def start_run(  # noqa: PLR0913 - the names are the interface
    name: str | None = None,
    *,
    params: Any = None,
    inputs: AnyPath | Sequence[AnyPath] = (),
    outputs: AnyPath | Sequence[AnyPath] = (),
    tags: Mapping[str, Any] | None = None,
    nested: bool = False,
    resume: str | None = None,
    repo: AnyPath | None = None,
    user_config: AnyPath | None = USER_CONFIG,
) -> ActiveRun:
    """Start a run: `with gitmlog.start_run() as run: …`, or by hand, with `end_run()`.

    At the end it is one commit and one tag `run/ID`; neither branch, index nor working tree move. An exception in the body makes
    it FAILED and is raised on. Under `gitmlog run`, and in a child process of a run, it joins that run.

    Args:
        name: the user's name for it; several runs may have one name.
        params: parameters, as for `log_params`.
        inputs: a path or paths that the run reads, as for `log_input`.
        outputs: a path or paths that the run will write: taken at the end, when they were written since.
        tags: as for `set_tags`.
        nested: a run of its own inside the active one.
        resume: go on from an earlier run (id, name, `last`): one that was killed is continued under its id; one that is recorded
            stays as it is, and the new run begins with its parameters and histories.
        repo: a folder of the repository; None is the one that the current folder lies in.
        user_config: the user's own configuration file; None reads none.

    Raises:
        UsageError: kind `run-active`: there is one already, and `nested` is false.
        NotFoundError: kinds `no-repository`, `no-run`, `no-path`.
        RefusedError: kinds `untracked-large`, `not-kept`.
        GitError, StorageError: the repository cannot be read or written.
    """
    from gitmlog.ops.runs.open import OpenOptions

    stack.hook()
    joined = _joined_before() if RUNS else _joined_run(config_file(user_config))
    if joined is not None and stack.was_left(joined):
        process.tell(f"run {joined.id}: this program starts another run: it is nested in that one")
        stack.leave(joined)
        nested = True
    if joined is None and RUNS and not nested:
        hint = "end_run() ends it; start_run(nested=True) starts one inside"
        raise UsageError(f"run {RUNS[-1].id} is active in this process", kind="run-active", hint=hint)
    if joined is None or nested:
        options = OpenOptions(
            name,
            process.paths(outputs),
            parent=_parent(joined),
            resume=resume,
            command=tuple(process.command()),
        )
        run = _open(options, repo, config_file(user_config))
    else:
        run = joined
        _describe(run, name, process.paths(outputs))
    _begin_with(run, params, process.paths(inputs), tags)
    return run


def _joined_before() -> ActiveRun | None:
    """The innermost run, when this process only logged into it so far."""
    run = RUNS[-1]
    by_itself, run.joined_by_itself = run.joined_by_itself, False
    return run if by_itself else None


def _describe(run: ActiveRun, name: str | None, outputs: Sequence[str]) -> None:
    """What a process that joins a run says of it."""
    if name is not None:
        run.live.call_it(name)
    for path in outputs:
        expect_output(run.live, path, Path.cwd())


def _parent(joined: ActiveRun | None) -> str:
    return RUNS[-1].id if RUNS else joined.id if joined else ""


def _begin_with(run: ActiveRun, params: Any, inputs: Sequence[str], tags: Mapping[str, Any] | None) -> None:
    try:
        if params is not None:
            run.log_params(params)
        if tags:
            run.set_tags(tags)
        for path in inputs:
            run.log_input(path)
        if run.live.is_owner:
            run.live.tell_drift()
    except BaseException:  # what is half-said is no run
        stack.discard(run)
        raise


def _open(options: OpenOptions, repo: AnyPath | None, user_config: Path | None) -> ActiveRun:
    from gitmlog.ops.runs.open import open_run
    from gitmlog.repo.workspace import Workspace

    ws = Workspace.open(Path.cwd() if repo is None else Path(repo), user_config)
    live = open_run(ws, options, process.variables(), process.tell)
    run = ActiveRun(live, user_config, process.hand_down(live.folder.path))
    stack.push(run)
    return run


def _joined_run(user_config: Path | None) -> ActiveRun | None:
    """The run that this process was started in, or None."""
    folder = process.joined_folder()
    if folder is None:
        return None
    from gitmlog.ops.runs.open import join_run

    live = join_run(folder, user_config, process.variables(), process.tell)
    if live is None:
        return None
    run = ActiveRun(live, user_config, os.fspath(folder))
    stack.push(run)
    return run


def end_run(status: str = "FINISHED") -> None:
    """End the active run: FINISHED, FAILED or KILLED. Without one, nothing is done.

    Raises:
        UsageError: kind `bad-value`: another status.
    """
    if RUNS:
        RUNS[-1].end(status)


def active_run() -> ActiveRun | None:
    """The run that logging goes to now, or None. In a child process of a run: that one."""
    if RUNS:
        return RUNS[-1]
    run = _joined_run(config_file(USER_CONFIG))
    if run is not None:
        run.joined_by_itself = True
    return run


def last_run() -> Run | None:
    """The run that this process started last, active or ended; without one, the newest of the repository; or None."""
    last = stack.last()
    if last is not None:
        return last
    try:
        return get_run("last")
    except GitmlogError:
        return None
