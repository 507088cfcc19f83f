"""Logging into the run that is active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitmlog.api import stack
from gitmlog.api.active import ActiveRun
from gitmlog.api.process import AnyPath
from gitmlog.api.runs import active_run
from gitmlog.api.stack import RUNS
from gitmlog.core.errors import UsageError


def _active(what: str) -> ActiveRun:
    stack.hook()
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
    (RUNS[-1] if RUNS else _active("log_metric")).log_metric(key, value, step, time)


def log_metrics(metrics: Mapping[str, Any], step: int | None = None, time: float | None = None) -> None:
    """Several values of one step. Raises as `log_metric`; then none of them was logged."""
    (RUNS[-1] if RUNS else _active("log_metrics")).log_metrics(metrics, step, time)


def log_param(key: str, value: Any) -> None:
    """One parameter: a string, number or boolean, or a list of those. A dictionary is flattened with dots, all else kept as text.

    Raises:
        UsageError: kinds `no-active-run`, `param-changed` (it has another value in this run), `bad-key`.
    """
    _active("log_param").log_param(key, value)


def log_params(params: Any) -> None:
    """Several parameters: a mapping, an argparse.Namespace or a dataclass. Raises as `log_param`; then none was logged."""
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
    """Keep a dictionary or list as the artifact `path`: YAML or TOML by extension, else JSON. Raises as `log_table`."""
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
    """Keep an image as the artifact `path`: PIL's, or an array (HxW, HxWx3, HxWx4). Raises as `log_table`."""
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
    """Keep the model at `path` under a name: an output, or an artifact when it lies elsewhere. Raises as `log_output`."""
    _active("log_model").log_model(path, name)
