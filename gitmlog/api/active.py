"""A run that goes on, as an object."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gitmlog.api.process import AnyPath
from gitmlog.api.recorded import Run, get_run
from gitmlog.api.stack import end, status_of
from gitmlog.core.errors import NotFoundError, UsageError
from gitmlog.ops.runs.checks import check_key, existing_file
from gitmlog.ops.runs.keep import keep_bytes, keep_file, keep_input, keep_model, keep_output
from gitmlog.ops.runs.live import LiveRun
from gitmlog.runs.fold import Folded
from gitmlog.runs.record import ENDED, DataFacts, ParamValue, RunRecord, Status

if TYPE_CHECKING:
    from gitmlog.runs.artifacts import Artifact
    from gitmlog.runs.history import Point


class ActiveRun(Run):
    """A run that goes on in this process, or that it joined. After the end it is what was recorded.

    Its logging methods are those of the module, for code that is handed a run; each may be called from any thread.
    """

    def __init__(self, live: LiveRun, user_config: Path | None, joined_before: str | None = None) -> None:
        self.live = live
        self._user_config = user_config
        self.before = joined_before
        self.joined_by_itself = False
        """Whether this process logged into it, and called no start_run yet."""
        self.log_metric = live.log_metric
        """log_metric(key, value, step=None, time=None): the same as `gitmlog.log_metric`."""
        self.log_metrics = live.log_metrics
        """log_metrics(metrics, step=None, time=None): the same as `gitmlog.log_metrics`."""

    def __repr__(self) -> str:
        return f"<run {self.id} {self.status}>"

    def __enter__(self) -> ActiveRun:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        end(self, *status_of(self.live, error))

    # What it is

    @property
    def id(self) -> str:
        return self.live.id

    @property
    def is_recorded(self) -> bool:
        """Whether the commit and the tag are there."""
        return self.live.recorded is not None

    @property
    def failure(self) -> Exception | None:
        """Why it could not be recorded at its end; `gitmlog runs recover` tries again."""
        return self.live.failure

    @property
    def name(self) -> str:
        return self.live.name

    @property
    def commit(self) -> str | None:
        return self.live.recorded.commit if self.live.recorded else None

    @property
    def status(self) -> Status:
        """RUNNING; after the end how it ended, also where it could not be recorded."""
        if self.live.recorded:
            return self.live.recorded.record.status
        return self.live.ended_as or "RUNNING"

    @property
    def _now(self) -> RunRecord | Folded:
        """What the record says, or what was logged so far by every process."""
        return self.live.recorded.record if self.live.recorded else self.live.folded()

    @property
    def params(self) -> Mapping[str, ParamValue]:
        return self._now.params

    @property
    def metrics(self) -> Mapping[str, float]:
        return {key: facts.last for key, facts in self._now.metrics.items()}

    @property
    def tags(self) -> Mapping[str, str]:
        return self._now.tags

    @property
    def inputs(self) -> Mapping[str, DataFacts]:
        return self._now.inputs

    @property
    def outputs(self) -> Mapping[str, DataFacts]:
        return self._now.outputs

    @property
    def record(self) -> RunRecord:
        return self._ended().record

    @property
    def artifacts(self) -> Sequence[Artifact]:
        return self._ended().artifacts if self.live.recorded else tuple(self.live.folded().artifacts)

    def history(self, key: str) -> list[Point]:
        if self.live.recorded:
            return self._ended().history(key)
        points = self.live.folded().histories.get(key)
        if points is None:
            raise NotFoundError(f"run {self.id} has no metric {key!r} yet", kind="no-metric", hint="log_metric logs one")
        return list(points)

    def open(self, artifact: str, version: int | None = None) -> Any:
        return self._ended().open(artifact, version)

    def download(self, artifact: str | None = None, dir: AnyPath = ".") -> list[Path]:  # noqa: A002 - the parameter's word
        return self._ended().download(artifact, dir)

    def _ended(self) -> Run:
        return get_run(self.id, repo=self.live.ws.root, user_config=self._user_config)

    # Logging

    def log_param(self, key: str, value: Any) -> None:
        """As `gitmlog.log_param`."""
        self.live.log_params({key: value})

    def log_params(self, params: Any) -> None:
        """As `gitmlog.log_params`."""
        self.live.log_params(params)

    def set_tag(self, key: str, value: Any) -> None:
        """As `gitmlog.set_tag`."""
        self.live.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """As `gitmlog.set_tags`."""
        self.live.set_tags(tags)

    def log_artifact(self, path: AnyPath, artifact_path: str | None = None) -> None:
        """As `gitmlog.log_artifact`."""
        if not isinstance(path, str | os.PathLike):
            several = isinstance(path, Iterable)
            hint = "log_artifacts(dir) takes a folder; log_artifact is called once for each file"
            message = f"log_artifact takes one path, not {type(path).__name__}: see log_artifacts"
            raise UsageError(message, kind="bad-value", hint=hint if several else "log_artifact('plot.png')")
        source = existing_file(path, Path.cwd())
        if source.is_dir():
            self.log_artifacts(path, f"{artifact_path}/{source.name}" if artifact_path else source.name)
        else:
            keep_file(self.live, source, _joined(artifact_path, source.name))

    def log_artifacts(self, dir: AnyPath, artifact_path: str | None = None) -> None:  # noqa: A002 - the parameter's word
        """As `gitmlog.log_artifacts`."""
        folder = existing_file(dir, Path.cwd())
        if not folder.is_dir():
            raise UsageError(f"{dir} is no folder", kind="bad-value", hint="log_artifact takes one file")
        for source in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = source.relative_to(folder)
            if ".git" not in name.parts:
                keep_file(self.live, source, _joined(artifact_path, name.as_posix()))

    def log_text(self, text: str, path: str) -> None:
        """As `gitmlog.log_text`."""
        from gitmlog.ops.runs.convert import text_bytes

        keep_bytes(self.live, text_bytes(text), path)

    def log_dict(self, value: Mapping[str, Any] | list[Any], path: str) -> None:
        """As `gitmlog.log_dict`."""
        from gitmlog.ops.runs.convert import dict_bytes

        keep_bytes(self.live, dict_bytes(value, path), path)

    def log_table(self, table: Any, path: str, columns: Sequence[str] | None = None) -> None:
        """As `gitmlog.log_table`."""
        from gitmlog.ops.runs.tables import table_bytes

        keep_bytes(self.live, table_bytes(table, path, columns=columns), path)

    def log_figure(self, figure: Any, path: str) -> None:
        """As `gitmlog.log_figure`."""
        from gitmlog.ops.runs.pictures import figure_bytes

        keep_bytes(self.live, figure_bytes(figure, path), path)

    def log_image(self, image: Any, path: str) -> None:
        """As `gitmlog.log_image`."""
        from gitmlog.ops.runs.pictures import image_bytes

        keep_bytes(self.live, image_bytes(image, path), path)

    def log_input(self, path: AnyPath) -> None:
        """As `gitmlog.log_input`."""
        keep_input(self.live, os.fspath(path), Path.cwd())

    def log_output(self, path: AnyPath) -> None:
        """As `gitmlog.log_output`."""
        keep_output(self.live, os.fspath(path), Path.cwd())

    def log_model(self, path: AnyPath, name: str) -> None:
        """As `gitmlog.log_model`."""
        _log_model(self, path, name)

    def end(self, status: str = "FINISHED") -> None:
        """As `gitmlog.end_run`, for this run."""
        if status not in ENDED:
            raise UsageError(f"{status!r} is no status", kind="bad-value", hint=f"one of {', '.join(ENDED)}")
        end(self, status)


def _log_model(run: ActiveRun, path: AnyPath, name: str) -> None:
    if not isinstance(path, str | os.PathLike):
        hint = "save it first, then log_model('model.pt', 'classifier')"
        raise UsageError(f"log_model takes the path of a saved model, not {type(path).__name__}", kind="bad-value", hint=hint)
    check_key("model", name)
    source = existing_file(path, Path.cwd())
    if Path(os.path.realpath(source)).is_relative_to(run.live.ws.root):
        keep_model(run.live, name, keep_output(run.live, os.fspath(path), Path.cwd(), "model"))
        return
    run.log_artifact(source, f"models/{name}")
    keep_model(run.live, name, f"artifact:models/{name}/{source.name}")


def _joined(folder: str | None, name: str) -> str:
    return f"{folder.strip('/')}/{name}" if folder and folder.strip("/") not in ("", ".") else name
