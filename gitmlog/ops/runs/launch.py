"""Running a program in any language as a run: its output passes through and is kept, its exit code is the result's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gitmlog.core.errors import GitmlogError, UsageError
from gitmlog.core.paths import display
from gitmlog.ops.runs.channel import Channel
from gitmlog.ops.runs.folder import RunFolder, runs_folder
from gitmlog.ops.runs.keeper import Keeper
from gitmlog.ops.runs.live import LiveRun, Tell
from gitmlog.ops.runs.open import OpenOptions, open_run
from gitmlog.ops.runs.program import PARAM, exec_error, fill, find_interpreter, find_program, param_variables, value_of
from gitmlog.ops.runs.pump import Pump, start_pumps
from gitmlog.ops.runs.waiting import ENDS, Waiter, signal_name
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.journal import read_journals
from gitmlog.runs.record import Status, is_run_id

VARIABLE = "GITMLOG_RUN"
_KILL = 9


@dataclass(frozen=True)
class Launch:
    """What to run, and what to say of it.

    Attributes:
        command: the program and its arguments; `{k}` stands for the parameter k.
        name: the user's name for the run, or None.
        params: parameters, as text.
        inputs, outputs: paths, as written in `folder`.
        metrics: a file that the program writes its metrics to, or None.
        tags: words of the user's own.
        folder: where it runs.
    """

    command: tuple[str, ...]
    name: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    metrics: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    folder: Path = field(default_factory=Path.cwd)


@dataclass(frozen=True)
class Streams:
    """The descriptors that the program's output passes through to; None where there is none."""

    out: int | None
    err: int | None


@dataclass(frozen=True)
class Launched:
    """How it ended.

    Attributes:
        code: the exit code as a shell has it: 128 + N for signal N.
        live: the run.
        in_line: whether the output that shares its place with standard error did not end its last line.
        interrupted: whether it died of Ctrl-C on the terminal.
    """

    code: int
    live: LiveRun
    in_line: bool
    interrupted: bool


def launch(ws: Workspace, how: Launch, variables: Mapping[str, str], streams: Streams, tell: Tell) -> Launched:
    """Run a program and record it, however it ends.

    Raises:
        NotFoundError: kind `no-program`.
        UsageError: kind `bad-value`: two parameters would be one environment variable.
        KeyboardInterrupt, SystemExit: a signal, before the program was started or again while it was being recorded.
        as `gitmlog.ops.runs.open.open_run`, `keep_input`, `check_output`; then nothing was run, and nothing of the run is left.
    """
    words = fill(how.command, how.params, tell)
    how = _filled(how, tell)
    program = find_program(words[0], variables, how.folder)
    _check(ws, how)
    environment = _environment(how, variables)
    with Waiter(tell) as waiter:
        options = replace(
            _options(ws, how, words, variables),
            interpreter=find_interpreter(program, environment, how.folder),
            results=tuple(filter(None, [how.metrics])),
        )
        live = open_run(ws, options, environment, tell)
        try:
            waiter.opened()
            _begin(live, how)
            before = _stat(how)
            environment[VARIABLE] = os.fspath(live.folder.path)
            waiter.ready()
            child, channel = _start([program, *words], how.folder, environment, streams)
        except BaseException:
            live.discard()
            raise
        waiter.started()
        code, pumps = _accompany(child, live, channel, streams, waiter)
        status = _status(live, code, asked=waiter.asked)
        _tell_troubles(live, pumps)
        _take_metrics(live, how, before)
        live.end(status, code)
    return Launched(128 - code if code < 0 else code, live, pumps[-1].in_line, waiter.key and code == -ENDS[0])


def _filled(how: Launch, tell: Tell) -> Launch:
    """The paths with their parameters."""
    inputs, outputs, metrics = (fill(paths, how.params, tell) for paths in (how.inputs, how.outputs, filter(None, [how.metrics])))
    return replace(how, inputs=inputs, outputs=outputs, metrics=metrics[0] if metrics else None)


def _check(ws: Workspace, how: Launch) -> None:
    """What could only fail at the end, fails now."""
    from gitmlog.ops.runs.data import check_output
    from gitmlog.ops.runs.metric_files import check_ending

    for path in how.outputs:
        check_output(ws, ws.relative(path, how.folder))
    if how.metrics is not None:
        check_ending(how.folder / how.metrics)


def _environment(how: Launch, variables: Mapping[str, str]) -> dict[str, str]:
    """The program's variables: those of a run around this one are not its own."""
    kept = {key: value for key, value in variables.items() if not key.startswith(PARAM)}
    if "PWD" in kept:
        kept["PWD"] = os.fspath(how.folder)
    return kept | param_variables(how.params)


def _outputs(ws: Workspace, how: Launch) -> tuple[str, ...]:
    """The declared ones; and the file of metrics, where git keeps it, as it keeps code: it is a result all the same."""
    if how.metrics is None or not ws.git.is_tracked(ws.relative(how.metrics, how.folder)):
        return how.outputs
    return (*how.outputs, how.metrics)


def _options(ws: Workspace, how: Launch, words: tuple[str, ...], variables: Mapping[str, str]) -> OpenOptions:
    outer = RunFolder(Path(variables.get(VARIABLE) or "-"))
    nested = is_run_id(outer.id) and outer.path.parent == runs_folder(ws.home) and outer.is_started
    return OpenOptions(
        how.name, _outputs(ws, how), parent=outer.id if nested else "", command=words, folder=how.folder, capture=False
    )


def _begin(live: LiveRun, how: Launch) -> None:
    live.log_params({key: value_of(text) for key, text in how.params.items()})
    live.set_tags(how.tags)
    if how.inputs:
        from gitmlog.ops.runs.keep import keep_input

        for path in how.inputs:
            keep_input(live, path, how.folder)
    live.tell_drift()


def _start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], streams: Streams
) -> tuple[subprocess.Popen[bytes], Channel]:
    """Start the program: its path, then its words. Raises NotFoundError, kind `no-program`."""
    channel = Channel.open(streams.out, streams.err)
    try:
        child = subprocess.Popen(  # descriptors of the user's own are the program's too: `--config <(…)`
            command[1:],
            executable=command[0],
            cwd=folder,
            env=environment,
            stdout=channel.child_out,
            stderr=channel.child_err,
            close_fds=False,
        )
    except OSError as error:
        channel.close()
        raise exec_error(command[1], error) from error
    return child, channel


def _accompany(
    child: subprocess.Popen[bytes], live: LiveRun, channel: Channel, streams: Streams, waiter: Waiter
) -> tuple[int, list[Pump]]:
    """Until it has ended, and its output is through."""
    channel.close_child_side()
    keeper = Keeper(live.log, live.ws.config.integer("runs.log"))
    pumps = start_pumps(channel, streams.out, streams.err, keeper, lambda line: _metric_line(live, line))
    code = waiter.wait(child, channel)
    for pump in pumps:
        pump.finish()
    keeper.finish()
    return code, pumps


def _metric_line(live: LiveRun, line: str) -> None:
    from gitmlog.ops.runs.metric_files import parse_metric_line

    try:
        for key, value, step in parse_metric_line(line):
            live.log_metric(key, value, step)
    except UsageError as error:
        live.warn(f"a metric line was not understood: {error.message}")


def _status(live: LiveRun, code: int, *, asked: bool) -> Status:
    if code == 0:
        return "FAILED" if _has_error(live) else "FINISHED"
    if -code in (*ENDS, _KILL) or (asked and code > 0):
        return "KILLED"
    if code < 0:
        live.journal.write("error", f"it died of {signal_name(-code)}")
    return "FAILED"


def _has_error(live: LiveRun) -> bool:
    """Whether the body of a process that joined ended with an exception."""
    return any(read_journals(live.folder.path, "error"))


def _tell_troubles(live: LiveRun, pumps: Sequence[Pump]) -> None:
    for pump in pumps:
        if pump.failure is not None:
            live.trouble("its output could not be passed on any more", pump.failure)
    if any(pump.left_behind for pump in pumps):
        live.warn("a process that it left behind still had its output open: what that writes is not kept")


def _stat(how: Launch) -> tuple[int, int, int] | None:
    try:
        info = os.stat(how.folder / how.metrics) if how.metrics else None
    except OSError:
        return None
    return (info.st_mtime_ns, info.st_ctime_ns, info.st_ino) if info else None


def _take_metrics(live: LiveRun, how: Launch, before: tuple[int, int, int] | None) -> None:
    """What the program wrote to its metrics file. A file that it did not write is another run's."""
    if not how.metrics:
        return
    from gitmlog.ops.runs.keep import note_source
    from gitmlog.ops.runs.metric_files import read_metrics

    name, full, now = display(how.metrics), how.folder / how.metrics, _stat(how)
    if now is None or now == before:
        said = "is not there" if now is None else "was not written by the run"
        live.trouble(f"metrics file {name}", GitmlogError(f"it {said}"))
        return
    note_source(live, full)
    try:
        found = read_metrics(full)
        for key, value, step in found.values:
            live.log_metric(key, value, step)
        for note in found.notes:
            live.warn(note.replace(display(full), name))
    except GitmlogError as error:
        _, _, said = error.message.partition(display(full))
        live.trouble(f"metrics file {name}{said.partition(': ')[0]}", said.partition(": ")[2] or error)
