"""What differs between runs: parameters, metrics, environment, data, code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gitmlog.core.errors import GitmlogError, UsageError
from gitmlog.git.treediff import blob_ids
from gitmlog.ops.runs.codediff import code_changes
from gitmlog.ops.runs.contents import environment_of
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.direction import direction
from gitmlog.runs.record import DataFacts, ParamValue, RunRecord

if TYPE_CHECKING:
    from gitmlog.ops.runs.find import Found

Title = Literal["run", "parameters", "metrics", "inputs", "outputs", "code", "environment"]
Facts = Mapping[str, ParamValue]


@dataclass(frozen=True)
class Row:
    """One fact.

    Attributes:
        name: what it is.
        values: a value for each run, None where the run does not have it.
        best: of a metric that differs: the runs with the best last value (their places); none where a name does not tell.
    """

    name: str
    values: tuple[ParamValue | None, ...]
    best: tuple[int, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the runs do not all have it, or not the same."""
        return any(not _same(value, self.values[0]) for value in self.values[1:])


@dataclass(frozen=True)
class Section:
    """The facts of one kind; `differs` says whether any is not the same everywhere."""

    title: Title
    rows: tuple[Row, ...]
    differs: bool


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        runs: in the order they were named.
        sections: of every kind that a run has anything of.
        notes: what could not be read, and why.
    """

    runs: tuple[Found, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]

    @property
    def same(self) -> tuple[Title, ...]:
        """The kinds of facts in which the runs do not differ."""
        return tuple(section.title for section in self.sections if not section.differs)


def _same(one: ParamValue | None, other: ParamValue | None) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return type(one) is type(other) and one == other


def compare(ws: Workspace, runs: Sequence[Found], *, everything: bool = False) -> Comparison:
    """The facts that differ between `runs`; with `everything` also the others.

    Raises:
        UsageError: fewer than two runs.
    """
    if len(runs) < 2:
        raise UsageError("one run alone cannot be compared", hint="gitmlog runs compare RUN RUN")
    notes: list[str] = []
    records = [run.record for run in runs]
    found = [
        _section("run", [_about(record) for record in records]),
        _section("parameters", [record.params for record in records]),
        _metrics(records),
        _section("inputs", [_data(record.inputs) for record in records]),
        _section("outputs", [_data(record.outputs) for record in records]),
        _code(ws, runs, notes),
        _section("environment", [_environment(ws, run, notes) for run in runs]),
    ]
    sections = (_only(section, everything) for section in found if section.rows)
    return Comparison(tuple(runs), tuple(sections), tuple(notes))


def _only(section: Section, everything: bool) -> Section:
    return section if everything else Section(section.title, tuple(row for row in section.rows if row.differs), section.differs)


def _section(title: Title, facts: Sequence[Facts]) -> Section:
    names = dict.fromkeys(name for each in facts for name in (each if title == "run" else sorted(each)))
    return _of(title, [Row(name, tuple(each.get(name) for each in facts)) for name in names])


def _of(title: Title, rows: Sequence[Row]) -> Section:
    return Section(title, tuple(rows), any(row.differs for row in rows))


def _about(record: RunRecord) -> Facts:
    facts: dict[str, ParamValue | None] = {"status": record.status, "exit": record.exit, "error": record.error or None}
    facts |= {"command": record.command, "folder": record.folder, "user": record.user or None, "host": record.host or None}
    facts |= {f"tag {key}": value for key, value in sorted(record.tags.items())}
    return {name: value for name, value in facts.items() if value is not None}


def _metrics(records: Sequence[RunRecord]) -> Section:
    names = sorted({name for record in records for name in record.metrics})
    return _of("metrics", [_metric(name, records) for name in names])


def _metric(name: str, records: Sequence[RunRecord]) -> Row:
    values = tuple(record.metrics[name].last if name in record.metrics else None for record in records)
    known = [value for value in values if value is not None and not math.isnan(value)]
    if len(known) < 2 or min(known) == max(known):
        return Row(name, values)
    best = min(known) if direction(name) == "min" else max(known)
    return Row(name, values, tuple(place for place, value in enumerate(values) if value == best))


def _data(facts: Mapping[str, DataFacts]) -> Facts:
    return {path: f"{(each.blake3 or each.git or '')[:12]}" for path, each in facts.items()}


def _code(ws: Workspace, runs: Sequence[Found], notes: list[str]) -> Section:
    codes = [run.record.code for run in runs]
    rows = [Row("commit", tuple(code.commit[:10] or None for code in codes))]
    rows.append(Row("branch", tuple(code.branch or None for code in codes)))
    rows.append(Row("snapshot", tuple(code.tree[:10] for code in codes)))
    differs = any(code.tree != codes[0].tree for code in codes)
    if differs:
        rows += _files(ws, runs, notes)
    return Section("code", tuple(rows), differs)


def _files(ws: Workspace, runs: Sequence[Found], notes: list[str]) -> list[Row]:
    """The blob of each file in each run, of those files that are not the same in all."""
    if going := next((run.record.id for run in runs if run.live), ""):
        notes.append(f"run {going} is still going: its files are not compared")
        return []
    try:
        changes = [change for run in runs[1:] for change in code_changes(ws, runs[0], run)]
        paths = sorted({path for change in changes for path in (change.path, change.old_path) if path})
        blobs = [blob_ids(ws.git, run.commit, paths) for run in runs]
    except GitmlogError as error:
        notes.append(error.message)
        return []
    return [Row(path, tuple(each[path][:10] if path in each else None for each in blobs)) for path in paths]


def _environment(ws: Workspace, run: Found, notes: list[str]) -> Facts:
    if run.live:
        return {}
    try:
        return flat(environment_of(ws, run))
    except GitmlogError as error:
        notes.append(error.message)
        return {}


def flat(tables: Mapping[str, Any]) -> Facts:
    """The facts of an environment by one name each: a package by its own, others as "system.os"."""
    return {
        name if title == "packages" else f"{title}.{name}": tuple(value) if isinstance(value, list) else value
        for title, facts in tables.items()
        for name, value in (facts.items() if isinstance(facts, dict) else ())
    }
