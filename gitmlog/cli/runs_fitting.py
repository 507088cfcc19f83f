"""Which columns of runs a terminal has room for: metrics that most runs have, then parameters that tell them apart."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gitmlog.cli.runs_table import GAP, Column, attribute, cut, fact, keys_of, shown_name, width_of
from gitmlog.runs.query_nodes import Field

if TYPE_CHECKING:
    from gitmlog.ops.runs.find import Found

_NAME = 14
_TITLES = (0, 12, 7)
"""How long titles may be (0: as they are), from what reads best to what shows most."""


@dataclass(frozen=True)
class Fitting:
    """The columns that fit, and how many more would be worth a look."""

    columns: tuple[Column, ...]
    left_out: int


def fitting(runs: Sequence[Found], sorted_by: Sequence[Field]) -> Fitting:
    """The usual columns, what was sorted by, and as many metrics, then parameters, as the terminal is wide.

    Titles are shortened where more columns fit so; a name is as the user gave it, and that of a run within another one that is
    listed too is marked.
    """
    listed = {run.record.id for run in runs}
    names = Column("name", shown_name, lambda run: _name(run, listed))
    usual = [attribute("id", "id"), *([names] if any(map(names.text, runs)) else [])]
    usual += [attribute(name, name) for name in ("status", "when", "took")]
    left = shutil.get_terminal_size((80, 24)).columns - sum(width_of(column, runs) + len(GAP) for column in usual) + len(GAP)
    wanted = [each for each in dict.fromkeys(sorted_by) if each.space]
    common, rare = _metrics(runs)
    rest = [each for each in (*common, *_parameters(runs), *rare) if each not in wanted]
    filling = _Filling(runs, wanted, rest, {column.title for column in usual}, left)
    columns = max(map(filling.columns, _TITLES), key=len)
    return Fitting((*usual, *columns), len(wanted) + len(rest) - len(columns))


@dataclass
class _Filling:
    """Tries to fill what is left of the line: what must be shown, then what may be, with titles of any length."""

    runs: Sequence[Found]
    wanted: Sequence[Field]
    rest: Sequence[Field]
    usual: set[str]
    left: int
    known: dict[Field, tuple[Column, int]] = field(default_factory=dict)

    def columns(self, longest: int) -> list[Column]:
        """The columns that fit when no title is longer; 0: as long as they are."""
        columns, taken, left = list[Column](), set(self.usual), self.left
        for fact_of in (*self.wanted, *self.rest):
            title = fact_of.key if fact_of.space in ("metrics", "params") and fact_of.key not in taken else str(fact_of)
            short = _shortened(title, longest) if longest else title
            if fact_of not in self.wanted and (len(short) + len(GAP) > left or short in taken):
                continue
            column, width = self._measured(fact_of)
            needed = max(width, len(short)) + len(GAP)
            if fact_of in self.wanted or needed <= left:
                columns.append(replace(column, title=short))
                taken |= {title, short}
                left -= needed
        return columns

    def _measured(self, fact_of: Field) -> tuple[Column, int]:
        """With the width of its values, which are looked at once."""
        if fact_of not in self.known:
            column = fact(fact_of, self.runs)
            self.known[fact_of] = column, width_of(replace(column, title=""), self.runs)
        return self.known[fact_of]


def _shortened(title: str, longest: int) -> str:
    """Its beginning and its end: some names differ in the one (`train/loss`), some in the other (`optimizer.lr`)."""
    if len(title) <= longest:
        return title
    head = (longest - 1) // 2
    return f"{title[:head]}…{title[len(title) - (longest - 1 - head) :]}"


def _name(run: Found, listed: set[str]) -> str:
    mark = "└ " if run.record.parent in listed else ""
    return mark + cut(shown_name(run), _NAME - len(mark)) if shown_name(run) else mark.rstrip()


def _metrics(runs: Sequence[Found]) -> tuple[list[Field], list[Field]]:
    """Those of half of the runs or more, and the others; the most common first."""
    counted = sorted(keys_of("metrics", runs).items(), key=lambda item: (-item[1], item[0]))
    fields = [Field("metrics", key) for key, _ in counted]
    common = sum(count * 2 >= len(runs) for _, count in counted)
    return fields[:common], fields[common:]


def _parameters(runs: Sequence[Found]) -> list[Field]:
    """Those of half of the runs or more that are not the same in all: what all have in common tells none from another."""
    common = sorted(keys_of("params", runs).items(), key=lambda item: (-item[1], item[0]))
    return [
        Field("params", key)
        for key, count in common
        if count * 2 >= len(runs) and len({run.record.params.get(key) for run in runs}) > 1
    ]
