"""Runs that go on: start, log, end (spec: run.md).

A run is one for the whole process, so that every thread logs into it; child processes find it by the variable GITMLOG_RUN.
"""

from __future__ import annotations

import functools
import inspect
import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from gitmlog.api import process
from gitmlog.api.recorded import Run, get_run
from gitmlog.api.repo import USER_CONFIG, AnyPath, _expand
from gitmlog.core.errors import GitmlogError, UsageError
from gitmlog.ops.runs.live import LiveRun, existing_file
from gitmlog.runs.record import ENDED, DataFacts, MetricFacts, ParamValue, RunRecord, Status

if TYPE_CHECKING:
    from gitmlog.runs.artifacts import Artifact
    from gitmlog.runs.history import Point

P = ParamSpec("P")
R = TypeVar("R")

_stack: list[ActiveRun] = []
_last: ActiveRun | None = None
_hooked = False


class ActiveRun(Run):
    """A run that goes on in this process, or that it joined. After the end it is what was recorded.

    Its logging methods are those of the module, for code that is handed a run; each may be called from any thread.
    """

    def __init__(self, live: LiveRun, user_config: Path | None, joined_before: str | None = None) -> None:
        self._live = live
        self._user_config = user_config
        self._before = joined_before
        self.log_metric = live.log_metric
        """log_metric(key, value, step=None, at=None): the same as `gitmlog.log_metric`."""
        self.log_metrics = live.log_metrics
        """log_metrics(metrics, step=None, at=None): the same as `gitmlog.log_metrics`."""

    def __repr__(self) -> str:
        return f"<run {self.id} {self.status}>"

    def __enter__(self) -> ActiveRun:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _end(self, *_status_of(self._live, error))

    # What it is

    @property
    def id(self) -> str:
        return self._live.id

    @property
    def is_recorded(self) -> bool:
        """Whether the commit and the tag are there."""
        return self._live.recorded is not None

    @property
    def failure(self) -> Exception | None:
        """Why it could not be recorded at its end; `gitmlog runs recover` tries again."""
        return self._live.failure

    @property
    def name(self) -> str:
        return self._live.name

    @property
    def commit(self) -> str | None:
        return self._live.recorded.commit if self._live.recorded else None

    @property
    def status(self) -> Status:
        return self._live.recorded.record.status if self._live.recorded else "RUNNING"

    @property
    def params(self) -> Mapping[str, ParamValue]:
        return self._live.recorded.record.params if self._live.recorded else self._live.folded().params

    @property
    def metrics(self) -> Mapping[str, float]:
        return {key: facts.last for key, facts in self._metric_facts().items()}

    def _metric_facts(self) -> Mapping[str, MetricFacts]:
        return self._live.recorded.record.metrics if self._live.recorded else self._live.folded().metrics

    @property
    def tags(self) -> Mapping[str, str]:
        return self._live.recorded.record.tags if self._live.recorded else self._live.folded().tags

    @property
    def inputs(self) -> Mapping[str, DataFacts]:
        return self._live.recorded.record.inputs if self._live.recorded else self._live.folded().inputs

    @property
    def outputs(self) -> Mapping[str, DataFacts]:
        return self._live.recorded.record.outputs if self._live.recorded else self._live.folded().outputs

    @property
    def record(self) -> RunRecord:
        return self._ended().record

    @property
    def artifacts(self) -> Sequence[Artifact]:
        return self._ended().artifacts if self._live.recorded else tuple(self._live.folded().artifacts)

    def history(self, key: str) -> list[Point]:
        if self._live.recorded:
            return self._ended().history(key)
        return list(self._live.folded().histories.get(key, []))

    def open(self, artifact: str, version: int | None = None) -> Any:
        return self._ended().open(artifact, version)

    def download(self, artifact: str | None = None, dir: AnyPath = ".") -> list[Path]:  # noqa: A002 - the parameter's word
        return self._ended().download(artifact, dir)

    def _ended(self) -> Run:
        return get_run(self.id, repo=self._live.ws.root, user_config=self._user_config)

    # Logging

    def log_param(self, key: str, value: Any) -> None:
        """As `gitmlog.log_param`."""
        self._live.log_params({key: value})

    def log_params(self, params: Any) -> None:
        """As `gitmlog.log_params`."""
        self._live.log_params(params)

    def set_tag(self, key: str, value: Any) -> None:
        """As `gitmlog.set_tag`."""
        self._live.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """As `gitmlog.set_tags`."""
        self._live.set_tags(tags)

    def log_artifact(self, path: AnyPath, artifact_path: str | None = None) -> None:
        """As `gitmlog.log_artifact`."""
        if not isinstance(path, str | os.PathLike):
            several = isinstance(path, Iterable)
            hint = "log_artifacts(dir) takes a folder; call log_artifact once for each file" if several else "log_artifact('plot.png')"
            raise UsageError(f"log_artifact takes one path, not {type(path).__name__}: see log_artifacts", kind="bad-value", hint=hint)
        source = existing_file(path, Path.cwd())
        if source.is_dir():
            self.log_artifacts(path, f"{artifact_path}/{source.name}" if artifact_path else source.name)
        else:
            self._live.log_file(source, _joined(artifact_path, source.name))

    def log_artifacts(self, dir: AnyPath, artifact_path: str | None = None) -> None:  # noqa: A002 - the parameter's word
        """As `gitmlog.log_artifacts`."""
        folder = existing_file(dir, Path.cwd())
        if not folder.is_dir():
            raise UsageError(f"{dir} is no folder", kind="bad-value", hint="log_artifact takes one file")
        for source in sorted(path for path in folder.rglob("*") if path.is_file()):
            self._live.log_file(source, _joined(artifact_path, source.relative_to(folder).as_posix()))

    def log_text(self, text: str, path: str) -> None:
        """As `gitmlog.log_text`."""
        from gitmlog.ops.runs.convert import text_bytes

        self._live.log_bytes(text_bytes(text), path)

    def log_dict(self, value: Mapping[str, Any] | list[Any], path: str) -> None:
        """As `gitmlog.log_dict`."""
        from gitmlog.ops.runs.convert import dict_bytes

        self._live.log_bytes(dict_bytes(value, path), path)

    def log_table(self, table: Any, path: str, columns: Sequence[str] | None = None) -> None:
        """As `gitmlog.log_table`."""
        from gitmlog.ops.runs.tables import table_bytes

        self._live.log_bytes(table_bytes(table, path, columns=columns), path)

    def log_figure(self, figure: Any, path: str) -> None:
        """As `gitmlog.log_figure`."""
        from gitmlog.ops.runs.pictures import figure_bytes

        self._live.log_bytes(figure_bytes(figure, path), path)

    def log_image(self, image: Any, path: str) -> None:
        """As `gitmlog.log_image`."""
        from gitmlog.ops.runs.pictures import image_bytes

        self._live.log_bytes(image_bytes(image, path), path)

    def log_input(self, path: AnyPath) -> None:
        """As `gitmlog.log_input`."""
        self._live.log_input(os.fspath(path), Path.cwd())

    def log_output(self, path: AnyPath) -> None:
        """As `gitmlog.log_output`."""
        self._live.log_output(os.fspath(path), Path.cwd())

    def log_model(self, path: AnyPath, name: str) -> None:
        """As `gitmlog.log_model`."""
        _log_model(self, path, name)

    def end(self, status: str = "FINISHED") -> None:
        """As `gitmlog.end_run`, for this run."""
        if status not in ENDED:
            raise UsageError(f"{status!r} is no status", kind="bad-value", hint=f"one of {', '.join(ENDED)}")
        _end(self, status)


def start_run(
    name: str | None = None,
    *,
    params: Any = None,
    inputs: Sequence[AnyPath] = (),
    outputs: Sequence[AnyPath] = (),
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
        inputs: paths that the run reads, as for `log_input`.
        outputs: paths that the run will write: taken at the end, when they were written since.
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

    _hook()
    joined = None if _stack else _joined_run(_expand(user_config))
    if joined is None and _stack and not nested:
        hint = "end_run() ends it; start_run(nested=True) starts one inside"
        raise UsageError(f"run {_stack[-1].id} is active in this process", kind="run-active", hint=hint)
    if joined is None or nested:
        options = OpenOptions(
            name, tuple(os.fspath(path) for path in outputs), parent=_parent(joined), resume=resume, command=tuple(process.command())
        )
        run = _open(options, repo, _expand(user_config))
    else:
        run = joined
        if name is not None:
            run.set_tag("name", name)
        if outputs:
            run._live.warn(f"the outputs that start_run named were not taken: gitmlog run -o {outputs[0]}, or log_output")
    _begin_with(run, params, inputs, tags)
    return run


def _parent(joined: ActiveRun | None) -> str:
    return _stack[-1].id if _stack else joined.id if joined else ""


def _begin_with(run: ActiveRun, params: Any, inputs: Sequence[AnyPath], tags: Mapping[str, Any] | None) -> None:
    try:
        if params is not None:
            run.log_params(params)
        if tags:
            run.set_tags(tags)
        for path in inputs:
            run.log_input(path)
    except BaseException:  # the body never began: what is half-said is no run
        if run in _stack:
            _stack.remove(run)
        if run._live.is_owner:
            process.give_back(run._before)
            run._live.discard()
        raise


def _open(options: Any, repo: AnyPath | None, user_config: Path | None) -> ActiveRun:
    from gitmlog.ops.runs.open import open_run
    from gitmlog.repo.workspace import Workspace

    ws = Workspace.open(Path.cwd() if repo is None else Path(repo), user_config)
    live = open_run(ws, options, process.variables(), process.tell)
    run = ActiveRun(live, user_config, process.hand_down(live.folder.path))
    _push(run)
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
    _push(run)
    return run


def _push(run: ActiveRun) -> None:
    global _last  # noqa: PLW0603 - one process, one last run
    _stack.append(run)
    _last = run


def end_run(status: str = "FINISHED") -> None:
    """End the active run: FINISHED, FAILED or KILLED. Without one, nothing is done.

    Raises:
        UsageError: kind `bad-value`: another status.
    """
    if _stack:
        _stack[-1].end(status)


def _end(run: ActiveRun, status: Status, code: int | None = None) -> None:
    if run in _stack:
        _stack.remove(run)
    live = run._live
    if live.is_owner:
        process.give_back(run._before)
        live.end(status, code)
    else:
        live.leave()


def _status_of(live: LiveRun, error: BaseException | None) -> tuple[Status, int | None]:
    """How a body ended, with the traceback kept."""
    if error is None:
        return "FINISHED", None
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        return ("FAILED" if code else "FINISHED"), code
    if isinstance(error, KeyboardInterrupt):
        return "KILLED", None
    try:
        live.fail(error, "".join(traceback.format_exception(error)))
    except GitmlogError:
        live.trouble("the traceback could not be kept", error if isinstance(error, Exception) else RuntimeError(str(error)))
    return "FAILED", None


def active_run() -> ActiveRun | None:
    """The run that logging goes to now, or None. In a child process of a run: that one."""
    return _stack[-1] if _stack else _joined_run(USER_CONFIG.expanduser())


def last_run() -> Run | None:
    """The run that this process started last, active or ended; without one, the newest of the repository; or None."""
    if _last is not None:
        return _last
    try:
        return get_run("last")
    except GitmlogError:
        return None


def _active(what: str) -> ActiveRun:
    _hook()
    run = active_run()
    if run is None:
        hint = "start a run first: `with gitmlog.start_run(): …`, or start the program by `gitmlog run -- …`"
        raise UsageError(f"{what}: no run is active", kind="no-active-run", hint=hint)
    return run


def log_metric(key: str, value: Any, step: int | None = None, time: float | None = None) -> None:
    """One value of a metric.

    Args:
        key: 1 to 250 printable characters.
        value: a number; NaN and infinities are kept as they are.
        step: a whole number; None is one more than the last step of that key, and 0 at first.
        time: seconds since 1970; None is now.

    Raises:
        UsageError: kinds `no-active-run`, `bad-metric` (no number), `bad-key`.
    """
    (_stack[-1] if _stack else _active("log_metric")).log_metric(key, value, step, time)


def log_metrics(metrics: Mapping[str, Any], step: int | None = None, time: float | None = None) -> None:
    """Several values of one step. Raises as `log_metric`; then none of them was logged."""
    (_stack[-1] if _stack else _active("log_metrics")).log_metrics(metrics, step, time)


def log_param(key: str, value: Any) -> None:
    """One parameter: a string, number or boolean, or a list of those; a dictionary is flattened with dots; all else is kept as text.

    Raises:
        UsageError: kinds `no-active-run`, `param-changed` (it has another value in this run), `bad-key`.
    """
    _active("log_param").log_param(key, value)


def log_params(params: Any) -> None:
    """Several parameters: a mapping, an argparse.Namespace or a dataclass. Raises as `log_param`; then none of them was logged."""
    _active("log_params").log_params(params)


def set_tag(key: str, value: Any) -> None:
    """A word of your own about the run; set again, it has the new value. Raises UsageError, kinds `no-active-run`, `bad-key`."""
    _active("set_tag").set_tag(key, value)


def set_tags(tags: Mapping[str, Any]) -> None:
    """Several of them. Raises as `set_tag`."""
    _active("set_tags").set_tags(tags)


def log_artifact(path: AnyPath, artifact_path: str | None = None) -> None:
    """Keep a file (or a folder) with the run. A name that is logged again has a second version; none is overwritten.

    Args:
        path: the file, relative to the current folder.
        artifact_path: the folder in the run that it goes to; None is the top.

    Raises:
        UsageError: kinds `no-active-run`, `bad-value` (a list: log_artifacts), `bad-name`.
        NotFoundError: kind `no-path`. DataError: kind `changed-while-read`.
    """
    _active("log_artifact").log_artifact(path, artifact_path)


def log_artifacts(dir: AnyPath, artifact_path: str | None = None) -> None:  # noqa: A002 - the parameter's word
    """Keep all files of a folder with the run, by their paths below it. Arguments and errors as `log_artifact`."""
    _active("log_artifacts").log_artifacts(dir, artifact_path)


def log_text(text: str, path: str) -> None:
    """Keep a text as the artifact `path`. Raises UsageError, kinds `no-active-run`, `bad-name`."""
    _active("log_text").log_text(text, path)


def log_dict(value: Mapping[str, Any] | list[Any], path: str) -> None:
    """Keep a dictionary or list as the artifact `path`: YAML or TOML by extension, else JSON. Raises as `log_text`, and `bad-value`."""
    _active("log_dict").log_dict(value, path)


def log_table(table: Any, path: str, columns: Sequence[str] | None = None) -> None:
    """Keep a table as the artifact `path` (.csv, .tsv, .json, .parquet).

    Args:
        table: a DataFrame, a dictionary of columns, a list of dictionaries, or a list of rows with `columns`.
        path: the name of the artifact.
        columns: the names of the columns of a list of rows.

    Raises:
        UsageError: kinds `no-active-run`, `bad-value`, `bad-name`. GitmlogError: kind `missing-extra`.
    """
    _active("log_table").log_table(table, path, columns)


def log_figure(figure: Any, path: str) -> None:
    """Keep a figure of matplotlib or plotly as the artifact `path`, in the format of its extension. Raises as `log_table`."""
    _active("log_figure").log_figure(figure, path)


def log_image(image: Any, path: str) -> None:
    """Keep an image as the artifact `path`: PIL's, or an array HxW, HxWx3 or HxWx4 (bytes, or floats 0..1). Raises as `log_table`."""
    _active("log_image").log_image(image, path)


def log_input(path: AnyPath) -> None:
    """Say that the run reads `path`; its version is recorded.

    Raises:
        UsageError: kind `no-active-run`. NotFoundError: kind `no-path`.
        RefusedError: kind `not-kept`: neither git nor gitmlog keeps it; kind `outside-repository`.
    """
    _active("log_input").log_input(path)


def log_output(path: AnyPath) -> None:
    """Keep what the run has written at `path`, as it is now, as a tracked file or directory of the run's commit.

    Logged again, the last one is in the commit; the earlier ones are kept as versions.

    Raises:
        UsageError: kind `no-active-run`. NotFoundError: kind `no-path`. RefusedError. DataError: kind `changed-while-read`.
    """
    _active("log_output").log_output(path)


def log_model(path: AnyPath, name: str) -> None:
    """Keep the model at `path` under a name: in the repository as an output, from elsewhere as an artifact. Raises as `log_output`."""
    _active("log_model").log_model(path, name)


def _log_model(run: ActiveRun, path: AnyPath, name: str) -> None:
    from gitmlog.ops.runs.live import check_key

    if not isinstance(path, str | os.PathLike):
        hint = "save it first, then log_model('model.pt', 'classifier')"
        raise UsageError(f"log_model takes the path of a saved model, not {type(path).__name__}", kind="bad-value", hint=hint)
    check_key("model", name)
    source = existing_file(path, Path.cwd())
    if Path(os.path.realpath(source)).is_relative_to(run._live.ws.root):
        run._live.log_model(name, run._live.log_output(os.fspath(path), Path.cwd(), "model"))
        return
    run.log_artifact(source, f"models/{name}")
    run._live.log_model(name, f"artifact:models/{name}/{source.name}")


def _joined(folder: str | None, name: str) -> str:
    return f"{folder.strip('/')}/{name}" if folder and folder.strip("/") not in ("", ".") else name


@overload
def track(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def track(
    *, name: str | None = None, inputs: Sequence[AnyPath] = (), outputs: Sequence[AnyPath] = (), tags: Mapping[str, Any] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def track(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    inputs: Sequence[AnyPath] = (),
    outputs: Sequence[AnyPath] = (),
    tags: Mapping[str, Any] | None = None,
) -> Any:
    """Make every call of a function a run: `@gitmlog.track`, or `@gitmlog.track(outputs=["model.pt"])`.

    The arguments are its parameters; a dictionary of numbers that it returns becomes its metrics. Inside an active run it is nested.
    """

    def decorate(wrapped: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(wrapped)

        @functools.wraps(wrapped)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            nested = active_run() is not None
            with start_run(name or wrapped.__name__, inputs=inputs, outputs=outputs, tags=tags, nested=nested) as run:
                run.log_params(_arguments(bound))
                result = wrapped(*args, **kwargs)
                if isinstance(result, Mapping):
                    run.log_metrics({str(key): value for key, value in result.items() if _is_number(value)})
                return result

        return call

    return decorate if function is None else decorate(function)


def _arguments(bound: inspect.BoundArguments) -> dict[str, Any]:
    """What can be a parameter; of what is large (arrays, models) only the type."""
    simple = (str, int, float, bool, type(None), list, tuple, dict, os.PathLike)
    found = {}
    for name, value in bound.arguments.items():
        if name in ("self", "cls"):
            continue
        text = str(value) if isinstance(value, simple) else ""
        found[name] = value if isinstance(value, simple) and len(text) <= 1000 else f"<{type(value).__name__}>"
    return found


def _is_number(value: object) -> bool:
    from gitmlog.ops.runs.convert import metric_value

    try:
        metric_value(value)
    except UsageError:
        return False
    return True


# Forks, and the end of the interpreter


def _hook() -> None:
    global _hooked  # noqa: PLW0603 - once a process
    if not _hooked:
        _hooked = True
        process.at_fork(_before_fork, _after_fork, _in_child)
        process.at_exit(_at_exit)


def _before_fork() -> None:
    """No thread may hold a journal's lock, or have half a line written, while the process is copied."""
    for run in _stack:
        run._live.journal.guard.acquire()


def _after_fork() -> None:
    for run in reversed(_stack):
        run._live.journal.guard.release()


def _in_child() -> None:
    for run in _stack:
        run._live.forked()


def _at_exit() -> None:
    """A run that nobody ended ends with the interpreter, as the interpreter does."""
    while _stack:
        run = _stack[-1]
        if run._live.is_owner:
            _end(run, *_status_of(run._live, process.uncaught()))
        else:
            _end(run, "FINISHED")

