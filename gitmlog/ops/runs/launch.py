"""Running a program in any language as a run: its output passes through and is kept, its exit code is the result's."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitmlog.core.errors import GitmlogError, NotFoundError, UsageError
from gitmlog.core.paths import display
from gitmlog.ops.runs.keep import keep_input, note_source
from gitmlog.ops.runs.live import LiveRun, Tell
from gitmlog.ops.runs.metric_files import parse_metric_line, read_metrics
from gitmlog.ops.runs.open import OpenOptions, open_run
from gitmlog.ops.runs.pump import Channel, Pump
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.record import ParamValue, Status

VARIABLE = "GITMLOG_RUN"
PARAM = "GITMLOG_PARAM_"
_HOLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]*)\}")
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGQUIT)


@dataclass(frozen=True)
class Launch:
    """What to run, and what to say of it.

    Attributes:
        command: the program and its arguments; `{k}` stands for the parameter k.
        name: the user's name for the run, or None.
        params: parameters.
        inputs, outputs: paths, as written in `folder`.
        metrics: a file that the program writes its metrics to, or None.
        tags: words of the user's own.
        folder: where it runs.
    """

    command: tuple[str, ...]
    name: str | None = None
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    metrics: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    folder: Path = field(default_factory=Path.cwd)


@dataclass(frozen=True)
class Streams:
    """Where the program's output passes through to: what writes bytes there, and the terminal's descriptor, or None."""

    out: Callable[[bytes], None]
    err: Callable[[bytes], None]
    out_terminal: int | None = None
    err_terminal: int | None = None


@dataclass(frozen=True)
class Launched:
    """How it ended: the exit code as a shell has it (128 + N for signal N), and the run."""

    code: int
    live: LiveRun


def launch(ws: Workspace, how: Launch, variables: Mapping[str, str], streams: Streams, tell: Tell) -> Launched:
    """Run a program and record it, however it ends.

    Raises:
        NotFoundError: kind `no-program`.
        UsageError: kind `bad-value`: two parameters would be one environment variable.
        as `gitmlog.ops.runs.open.open_run` and `keep_input`; then nothing was run.
    """
    command = fill(how.command, how.params, tell)
    program = _find(command[0], variables, how.folder)
    child_variables = {**variables, **param_variables(how.params)}
    options = OpenOptions(how.name, how.outputs, command=command, folder=how.folder, capture=False)
    live = open_run(ws, options, variables, tell)
    try:
        live.log_params(how.params)
        live.set_tags(how.tags)
        for path in how.inputs:
            keep_input(live, path, how.folder)
        metrics_before = _stat(how)
        child_variables[VARIABLE] = os.fspath(live.folder.path)
    except BaseException:
        live.discard()
        raise
    status, code = _run(live, [program, *command[1:]], how, child_variables, streams)
    _take_metrics(live, how, metrics_before)
    live.end(status, code)
    return Launched(128 - code if code < 0 else code, live)


def fill(command: Sequence[str], params: Mapping[str, ParamValue], tell: Tell) -> tuple[str, ...]:
    """The command with `{k}` replaced by the parameter k; braces around other words are left as they are, and told."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in params:
            if params:
                tell(f"{found[0]} is no parameter: it is passed on as it is")
            return found[0]
        return text_of(params[found[1]])

    return tuple(_HOLE.sub(value, word) for word in command)


def text_of(value: ParamValue) -> str:
    """A parameter as a program reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(text_of, value)) if isinstance(value, tuple) else str(value)


def param_variables(params: Mapping[str, ParamValue]) -> dict[str, str]:
    """Parameters as environment variables: `lr` is GITMLOG_PARAM_LR. Raises UsageError, kind `bad-value`."""
    found: dict[str, str] = {}
    for key, value in params.items():
        name = PARAM + re.sub(r"[^A-Z0-9]", "_", key.upper())
        if name in found:
            hint = "rename one: letters in either case, and all other characters, are the same there"
            raise UsageError(f"parameter {key} would be a second {name}", kind="bad-value", hint=hint)
        found[name] = text_of(value)
    return found


def _find(name: str, variables: Mapping[str, str], folder: Path) -> str:
    """The program, as a shell would find it."""
    found = shutil.which(name if "/" not in name else os.fspath(folder / name), path=variables.get("PATH"))
    if found is None:
        there = (folder / name).is_file()
        hint = f"it is not executable: chmod +x {display(name)}" if there and "/" in name else "check the name, and PATH"
        raise NotFoundError(f"there is no program {display(name)}", kind="no-program", hint=hint)
    return found


def _stat(how: Launch) -> tuple[int, int] | None:
    try:
        info = os.stat(how.folder / how.metrics) if how.metrics else None
    except OSError:
        return None
    return (info.st_mtime_ns, info.st_ino) if info else None


def _run(live: LiveRun, command: list[str], how: Launch, variables: Mapping[str, str], streams: Streams) -> tuple[Status, int]:
    with Channel.open(streams.out_terminal, streams.err_terminal) as channel:
        try:
            child = subprocess.Popen(
                command, cwd=how.folder, env=dict(variables), stdout=channel.child_out, stderr=channel.child_err
            )
        except OSError as error:
            live.discard()
            raise NotFoundError(
                f"{display(command[0])} cannot be run: {error.strerror}",
                kind="no-program",
                hint="check the file: `file`, `ls -l`",
            ) from error
        channel.close_child_side()
        pumps = [Pump(channel.out, streams.out, live.log, lambda line: _metric_line(live, line))]
        pumps += [Pump(channel.err, streams.err, live.log, number=1)] if channel.err is not None else []
        for pump in pumps:
            pump.start()
        with _signals(child, channel) as received:
            code = child.wait()
        for pump in pumps:
            pump.finish()
    return _status(live, code, received), code


def _metric_line(live: LiveRun, line: str) -> None:
    try:
        for key, value, step in parse_metric_line(line):
            live.log_metric(key, value, step)
    except UsageError as error:
        live.warn(f"a metric line was not understood: {error.message}")


@contextmanager
def _signals(child: subprocess.Popen[bytes], channel: Channel) -> Iterator[list[int]]:
    """Ctrl-C on a terminal reaches the program by itself; what was sent to us alone is passed on. It ends when it wants."""
    received: list[int] = []

    def handle(number: int, _: Any) -> None:
        from_terminal = number == signal.SIGINT and not received and channel.is_foreground()
        received.append(number)
        if not from_terminal:
            with suppress(ProcessLookupError):
                child.send_signal(number)

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, lambda *_: channel.resize())
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _status(live: LiveRun, code: int, received: Sequence[int]) -> Status:
    if code == 0:
        return "FINISHED"
    if -code in _STOPS or (received and code in (130, 143)) or (received and code > 0):
        return "KILLED"
    if code < 0:
        live.journal.write("error", f"it died of {signal.Signals(-code).name}")
    return "FAILED"


def _take_metrics(live: LiveRun, how: Launch, before: tuple[int, int] | None) -> None:
    """What the program wrote to its metrics file. A file that it did not write is another run's."""
    if not how.metrics:
        return
    now = _stat(how)
    if now is None or now == before:
        said = "is not there" if now is None else "was not written by the run"
        live.trouble(f"metrics file {display(how.metrics)}", GitmlogError(f"it {said}"))
        return
    note_source(live, how.folder / how.metrics)
    try:
        found = read_metrics(how.folder / how.metrics)
        for key, value, step in found.values:
            live.log_metric(key, value, step)
        for note in found.notes:
            live.warn(note)
    except GitmlogError as error:
        live.trouble(f"metrics file {display(how.metrics)}", error)
