"""Events of a run's journals, folded into what its record says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from typing import Any, NamedTuple

from gitmlog.core.errors import DataError
from gitmlog.runs import events
from gitmlog.runs.artifacts import Artifact
from gitmlog.runs.history import Point
from gitmlog.runs.journal import Event
from gitmlog.runs.reader import Reader
from gitmlog.runs.record import DataFacts, MetricFacts, ParamValue, data_facts


class End(NamedTuple):
    """How the body of a run ended: status, exit code, seconds since 1970, seconds that it took."""

    status: str
    exit: int | None
    time: float
    seconds: float


@dataclass
class Folded:
    """All that was logged.

    Attributes:
        params, tags, models: the first value of a parameter, the last of the others.
        histories: the values of each metric, in the order they were logged.
        inputs, outputs: the last facts of each path; `replaced` has the earlier ones of outputs.
        artifacts: every version.
        metafiles: texts that the tree shall hold, by path.
        blobs: git's ids of files that the tree shall hold, by path.
        ignored: paths that the tree shall hold a .gitignore line for.
        name: what a joined process calls the run; "" where none does.
        expected: outputs that a joined process will write, with the stat they had.
        sources: files of the working tree that artifacts came from, with the stat they had.
        end: None while the body has not ended.
        last: seconds since 1970 of the last event that has a time.
    """

    params: dict[str, ParamValue] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    histories: dict[str, list[Point]] = field(default_factory=dict)
    inputs: dict[str, DataFacts] = field(default_factory=dict)
    outputs: dict[str, DataFacts] = field(default_factory=dict)
    replaced: list[Artifact] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    metafiles: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, None] = field(default_factory=dict)
    name: str = ""
    expected: dict[str, list[int]] = field(default_factory=dict)
    sources: dict[str, list[int]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: str = ""
    end: End | None = None
    last: float = 0.0

    @property
    def metrics(self) -> dict[str, MetricFacts]:
        """What the record says of each metric."""
        return {key: facts_of(values) for key, values in self.histories.items()}


def fold(journals: Iterable[list[Event]]) -> Folded:
    """All events, those of several processes in the order of their times. What does not have its form is left out."""
    folded = Folded()
    files = list(journals)
    values: list[tuple[str, float, int | None, float]] = []
    for event in _in_order(files):
        try:
            if event[0] == "metrics":
                values += _values(folded, event[1])
            else:
                _HANDLERS[event[0]](folded, *event[1:])
        except (KeyError, TypeError, ValueError, AttributeError, DataError):
            folded.warnings.append(f"a line of the journal was not understood: {str(event)[:80]}")
    if len(files) > 1:
        values.sort(key=lambda item: item[3])
    _add_values(folded, values)
    return folded


def _in_order(files: list[list[Event]]) -> Iterator[Event]:
    """The lines of one process stay in their order, whatever its clock did."""
    if len(files) == 1:
        return iter(files[0])
    return (event for _, event in merge(*map(_timed, files), key=lambda item: item[0]))


def _timed(lines: list[Event]) -> Iterator[tuple[float, Event]]:
    latest = 0.0
    for event in lines:
        if events.is_moment(event[-1]):
            latest = max(latest, event[-1])
        yield latest, event


def _values(folded: Folded, rows: Any) -> list[tuple[str, float, int | None, float]]:
    known: set[str] = set()  # a name is looked at once, for there may be a million values
    found: list[tuple[str, float, int | None, float]] = []
    for row in rows:
        try:
            key, value, step, time = row
            if not events.is_moment(time):  # the value is worth more than its time
                folded.warnings.append(f"a value of {str(key)[:80]} was logged at no time that is known")
                time = found[-1][3] if found else 0.0
            if key not in known:
                known.add(events.key(key))
            found.append((key, float(value), events.step(step), float(time)))
        except (TypeError, ValueError):  # one value is no reason to lose two thousand
            folded.warnings.append(f"a value in the journal was not understood: {str(row)[:80]}")
    return found


def _add_values(folded: Folded, values: list[tuple[str, float, int | None, float]]) -> None:
    histories = folded.histories
    for key, value, step, time in values:
        history = histories.get(key)
        if history is None:
            history = histories[key] = []
        history.append(Point(_next_step(history) if step is None else step, time, value))
    if values:
        folded.last = max(folded.last, values[-1][3])


def _next_step(history: list[Point]) -> int:
    return history[-1].step + 1 if history else 0


def facts_of(values: list[Point]) -> MetricFacts:
    """Last, smallest, largest, step, count; NaN counts as smallest and largest only where there is nothing else."""
    numbers = [each.value for each in values if not math.isnan(each.value)] or [math.nan]
    return MetricFacts(values[-1].value, min(numbers), max(numbers), values[-1].step, len(values))


def _param(folded: Folded, key: str, value: Any, _: float = 0.0) -> None:
    value = events.param(value)
    known = folded.params.setdefault(events.key(key), value)
    if not same_value(known, value):
        folded.warnings.append(
            f"parameter {key} was logged as {known!r} and, by another process, as {value!r}: the first was kept"
        )


def same_value(first: object, second: object) -> bool:
    """Whether two values of a parameter are the same: 1 and 1.0 and True are not, NaN and NaN are."""
    if isinstance(first, tuple) and isinstance(second, tuple):
        return len(first) == len(second) and all(map(same_value, first, second))
    if isinstance(first, float) and isinstance(second, float) and math.isnan(first) and math.isnan(second):
        return True
    return type(first) is type(second) and first == second


def _tag(folded: Folded, key: str, value: str, _: float = 0.0) -> None:
    folded.tags[events.key(key)] = events.text(value)


def _artifact(folded: Folded, path: str, oid: str, size: int, files: int | None, time: float) -> None:
    """The same bytes again are the same version."""
    before = [each for each in folded.artifacts if each.path == path]
    count = None if files is None else events.whole(files)
    found = Artifact(events.path(path), len(before) + 1, events.object_id(oid), events.whole(size), count)
    folded.last = max(folded.last, events.moment(time))
    if not before or before[-1].blake3 != oid:
        folded.artifacts.append(found)


def _input(folded: Folded, path: str, facts: dict[str, Any], time: float) -> None:
    last = max(folded.last, events.moment(time))
    folded.inputs[events.path(path)] = data_facts(Reader(facts, f"input {path}"))
    folded.last = last


def _output(folded: Folded, path: str, facts: dict[str, Any], time: float) -> None:
    last = max(folded.last, events.moment(time))
    put_output(folded, events.path(path), data_facts(Reader(facts, f"output {path}")))
    folded.last = last


def put_output(folded: Folded, path: str, facts: DataFacts) -> None:
    """The output is now this; what it was before in this run is kept as a version of its own."""
    before = folded.outputs.get(path)
    if before is not None and before != facts and before.blake3 is not None:
        version = 1 + sum(1 for each in folded.replaced if each.path == path)
        folded.replaced.append(Artifact(path, version, before.blake3, before.size, before.files))
    folded.outputs[path] = facts


def _model(folded: Folded, name: str, path: str, _: float = 0.0) -> None:
    folded.models[events.key(name)] = events.text(path)


def _metafile(folded: Folded, path: str, text: str, _: float = 0.0) -> None:
    folded.metafiles[events.path(path)] = events.text(text)


def _blob(folded: Folded, path: str, oid: str, _: float = 0.0) -> None:
    folded.blobs[events.path(path)] = events.git_id(oid)


def _ignore(folded: Folded, path: str, _: float = 0.0) -> None:
    folded.ignored[events.path(path)] = None


def _source(folded: Folded, path: str, stat: list[int], _: float = 0.0) -> None:
    folded.sources[events.text(path)] = [int(each) for each in stat]


def _name(folded: Folded, name: str, _: float = 0.0) -> None:
    folded.name = folded.name or events.key(name)


def _expect(folded: Folded, path: str, stat: list[int], _: float = 0.0) -> None:
    folded.expected.setdefault(events.path(path), [int(each) for each in stat])


def _warning(folded: Folded, text: str, _: float = 0.0) -> None:
    folded.warnings.append(str(text))


def _error(folded: Folded, text: str, _: float = 0.0) -> None:
    folded.error = str(text)


def _resume(folded: Folded, _: float = 0.0) -> None:
    """A run whose body was over, and that could not be recorded, goes on: only its next end counts."""
    folded.end = None


def _end(folded: Folded, status: str, code: int | None, seconds: float, time: float) -> None:
    known = None if code is None else events.whole(code, -1 << 63)
    folded.end = End(events.text(status), known, events.moment(time), events.moment(seconds))


_HANDLERS: dict[str, Callable[..., None]] = {
    "param": _param,
    "tag": _tag,
    "artifact": _artifact,
    "input": _input,
    "output": _output,
    "model": _model,
    "metafile": _metafile,
    "blob": _blob,
    "ignore": _ignore,
    "name": _name,
    "expect": _expect,
    "source": _source,
    "warning": _warning,
    "error": _error,
    "resume": _resume,
    "end": _end,
}


def rows(folded: Folded) -> Iterator[tuple[str, list[Point]]]:
    """The histories, by key."""
    yield from sorted(folded.histories.items())
