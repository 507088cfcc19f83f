"""The histories of one metric of several runs, as lines of a chart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from gitmlog.core.errors import NotFoundError
from gitmlog.core.paths import display
from gitmlog.core.progress import SILENT, Progress
from gitmlog.ops.runs.contents import history
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.history import Point
from gitmlog.runs.index import Index

if TYPE_CHECKING:
    from gitmlog.ops.runs.find import Found

Axis = Literal["step", "time"]
DEFAULT = 5
_LARGEST = 1e300
"""Beyond, no distance between two values is a number: it is taken for infinite."""

_MACHINE = ("cpu.percent", "memory.bytes", "machine.cpu.percent", "machine.memory.percent", "gpu.0.percent", "gpu.0.memory.bytes")
_TRIES = 50
"""Runs whose files are looked into for a metric that no record names (those of the machine)."""


@dataclass(frozen=True)
class Line:
    """The values of one run; a gap is a NaN in `y`.

    Attributes:
        run: its id.
        label: its name, with the words of its id where the name alone does not tell it from the others, and its status unless
            it is FINISHED.
        x: steps, or seconds since the run's start.
        y: values; with `Chart.log` those above zero only.
        last: the value that was logged last.
        min, max: of all finite values, NaN when there are none.
        count: values that were logged.
    """

    run: str
    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    last: float
    min: float
    max: float
    count: int


@dataclass(frozen=True)
class Chart:
    """What is drawn.

    Attributes:
        metric: its name.
        axis: what x is.
        log: whether y is drawn on a logarithmic scale.
        lines: one a run.
        notes: what was left out, and why.
    """

    metric: str
    axis: Axis
    log: bool
    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    @property
    def x_label(self) -> str:
        """What x is, in words."""
        return "step" if self.axis == "step" else "seconds since the start"

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(math.isfinite(y) for line in self.lines for y in line.y)


def gather(
    ws: Workspace,
    metric: str,
    specs: Sequence[str] = (),
    *,
    where: str | None = None,
    axis: Axis | None = None,
    log: bool = False,
    limit: int | None = None,
    progress: Progress = SILENT,
) -> Chart:
    """The chart of `metric` in the runs that `specs` name, else in the newest that have it (`limit`, default five).

    `axis` None: over its steps, but what the machine did over time.

    Raises:
        NotFoundError: kinds `no-metric`, and those of `find`.
        MissingDataError, DataError, RemoteError.
    """
    runs, notes = _runs(ws, metric, specs, where, limit)
    found = [(run, history(ws, run, metric, progress)) for run in runs] if runs else list(_others(ws, metric, where, limit))
    if not found:
        raise NotFoundError(f"no run has a metric {display(metric)}", kind="no-metric", hint=_near(ws, metric))
    along = axis or ("step" if any(metric in run.record.metrics for run, _ in found) else "time")
    labels = _labels([run for run, _ in found])
    lines = []
    for (run, points), label in zip(found, labels, strict=True):
        line, left_out = _line(run, label, points, along, log)
        lines.append(line)
        notes += left_out
    return Chart(metric, along, log, tuple(lines), tuple(notes))


def _near(ws: Workspace, metric: str) -> str:
    """Names that hold the word come first: `loss` of `train/loss`."""
    from difflib import get_close_matches

    with closing(Index(ws.git, ws.home / "runs.db")) as index:
        known = [*index.keys("metrics"), *_MACHINE]
    word = metric.lower()
    holding = [key for key in known if word and word in key.lower()]
    near = list(dict.fromkeys([*holding, *get_close_matches(metric, known, 3, 0.6)]))[:5]
    if near:
        return f"did you mean {' or '.join(map(display, near))}?"
    return "`gitmlog runs list` shows the runs, `gitmlog runs show RUN` the metrics of one"


def _runs(
    ws: Workspace, metric: str, specs: Sequence[str], where: str | None, limit: int | None
) -> tuple[list[Found], list[str]]:
    from gitmlog.ops.runs.find import find, search

    if specs:
        named = [find(ws, spec) for spec in specs]
        return list({run.record.id: run for run in named}.values())[:limit], []
    wanted = limit or DEFAULT
    found = search(ws, _having(metric, where), limit=wanted + _TRIES)
    chosen = [run for run in found.runs if not run.live][:wanted]
    total = found.total - sum(run.live for run in found.runs)
    notes = [f"the {len(chosen)} newest of {total:,} runs that have it; --limit N shows more"] if total > len(chosen) > 0 else []
    return chosen, notes


def _having(metric: str, where: str | None) -> str:
    """The condition that a run has the metric, and fulfils `where`, whose own mistakes are told by its own text."""
    from gitmlog.runs.query import Field, parse_where

    has = str(Field("metrics", metric))
    if where is None or parse_where(where, lambda key: Field("metrics", key)) is None:
        return has
    return f"({where}) and {has}"


def _others(ws: Workspace, metric: str, where: str | None, limit: int | None) -> Iterator[tuple[Found, list[Point]]]:
    """Runs with a metric that only their files name, as those of the machine."""
    from gitmlog.ops.runs.find import search

    left = limit or DEFAULT
    for run in [run for run in search(ws, where, limit=_TRIES).runs if not run.live]:
        try:
            points = history(ws, run, metric)
        except NotFoundError:
            continue
        yield run, points
        left -= 1
        if not left:
            return


def _labels(runs: Sequence[Found]) -> list[str]:
    """Names; where two are alike, with the words of the id; and how it ended, where that says that the line is no whole one."""
    names = [run.record.name for run in runs]
    return [
        (name if names.count(name) == 1 else f"{name} ({run.record.id if name == run.record.id[16:] else run.record.id[16:]})")
        + ("" if run.record.status == "FINISHED" else f" {run.record.status}")
        for name, run in zip(names, runs, strict=True)
    ]


def _line(run: Found, label: str, points: Sequence[Point], axis: Axis, log: bool) -> tuple[Line, list[str]]:
    """The line of a run, and what was left out of it."""
    start = run.record.started.timestamp()
    x, y = [], []
    infinite = negative = 0
    for step, time, value in points:
        place = float(step) if axis == "step" else time - start
        beyond = abs(value) > _LARGEST or abs(place) > _LARGEST
        hidden = log and value <= 0 and not beyond
        infinite, negative = infinite + beyond, negative + hidden
        x.append(place if abs(place) <= _LARGEST else 0.0)
        y.append(math.nan if hidden or beyond else value)
    finite = [value for _, _, value in points if math.isfinite(value)]
    facts = (points[-1].value, *((min(finite), max(finite)) if finite else (math.nan, math.nan)))
    notes = [f"{label}: {count:,} {what} left out" for count, what in _left_out(infinite, negative) if count]
    return Line(run.record.id, label, tuple(x), tuple(y), *facts, len(points)), notes


def _left_out(infinite: int, negative: int) -> Iterable[tuple[int, str]]:
    infinities = "infinite value" if infinite == 1 else "infinite values"
    negatives = "value that is not above zero" if negative == 1 else "values that are not above zero"
    return ((infinite, infinities), (negative, negatives))


def thinned(chart: Chart, columns: int) -> Chart:
    """The chart with no more points than `columns` columns of pixels can show: first, smallest, largest and last of each."""
    finite = [x for line in chart.lines for x in line.x if math.isfinite(x)]
    start, end = min(finite, default=0.0), max(finite, default=1.0)
    scale = columns / (end - start) if end - start > 1 / _LARGEST else 0.0
    return replace(chart, lines=tuple(_thin(line, start, scale) for line in chart.lines))


def _thin(line: Line, start: float, scale: float) -> Line:
    kept: list[int] = []
    group: list[int] = []
    column: int | None = None
    y = line.y
    for place, x in enumerate(line.x):
        here = None if y[place] != y[place] else int((x - start) * scale)
        if group and here != column:
            kept += _extremes(group, y)
            group = []
        column = here
        group.append(place)
    kept += _extremes(group, y) if group else []
    return replace(line, x=tuple(line.x[place] for place in kept), y=tuple(y[place] for place in kept))


def _extremes(group: Sequence[int], y: Sequence[float]) -> list[int]:
    """Of neighbours in one column: the places of the first, smallest, largest and last, in their order."""
    if len(group) <= 4:
        return list(group)
    if y[group[0]] != y[group[0]]:
        return [group[0]]
    return sorted({group[0], min(group, key=y.__getitem__), max(group, key=y.__getitem__), group[-1]})
