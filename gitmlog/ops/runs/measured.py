"""The recorded values of one metric, by the commit that they speak of."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from gitmlog.core.errors import NotFoundError, UsageError
from gitmlog.core.paths import display
from gitmlog.core.progress import SILENT, Progress
from gitmlog.ops.runs.find import Found, found_of
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.index import Index
from gitmlog.runs.index_schema import Entry
from gitmlog.runs.query import parse_field
from gitmlog.runs.query_nodes import Field, Has
from gitmlog.runs.query_sql import condition

_SPACES = ("metrics", "min", "max")


@dataclass(frozen=True)
class Value:
    """What a run says of a metric."""

    number: float
    run: Found


class Measured:
    """All runs that have one metric.

    Attributes:
        field: `metrics` (the value logged last), `min` or `max`, and the metric's name.
    """

    def __init__(self, ws: Workspace, metric: str, progress: Progress = SILENT) -> None:
        """Raises UsageError, kind `bad-query`; NotFoundError, kind `no-metric`: no run has it."""
        self.field = _field(metric)
        self._own: dict[str, Value] = {}
        self._code: dict[str, Value] = {}
        with closing(Index(ws.git, ws.home / "runs.db", progress)) as index:
            entries, _ = index.search(condition(Has(self.field), metric))
            if not entries:
                raise _unknown(self.field, index.keys("metrics"))
        for entry in entries:  # the newest first: it counts
            self._keep(entry)

    def _keep(self, entry: Entry) -> None:
        value, code = Value(_number(entry, self.field), found_of(entry)), entry.record.code
        self._own.setdefault(entry.commit, value)
        if code.commit and not code.changed and not code.untracked:
            self._code.setdefault(code.commit, value)

    def at(self, commit: str, parents: Sequence[str]) -> Value | None:
        """The value of a commit: of the run that it is, of the newest run of exactly its code, of the run that it merged."""
        found = self._own.get(commit) or self._code.get(commit)
        return found or next((self._own[parent] for parent in parents[1:] if parent in self._own), None)


def _field(metric: str) -> Field:
    known = metric.partition(".")[0] in _SPACES and "." in metric
    field = parse_field(metric if known else f"metrics.{metric}")
    if field.space not in _SPACES:
        raise UsageError(f"{display(metric)} is no metric", kind="bad-query", hint="as in metrics.acc, min.loss, max.acc or acc")
    return field


def _number(entry: Entry, field: Field) -> float:
    facts = entry.record.metrics[field.key]
    return {"metrics": facts.last, "min": facts.min, "max": facts.max}[field.space]


def _unknown(field: Field, known: Sequence[str]) -> NotFoundError:
    from difflib import get_close_matches

    near = get_close_matches(field.key, known, 3, 0.6)
    hint = f"did you mean {' or '.join(map(display, near))}?" if near else "`gitmlog runs list --columns '*'` shows what there is"
    return NotFoundError(f"no run has a metric {display(field.key)}", kind="no-metric", hint=hint)
