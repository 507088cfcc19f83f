"""A chart in the terminal: braille dots in colour, or letters where there is no colour or no Unicode."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import click

from gitmlog.cli.columns import cells, cut, number_text, padded, plain
from gitmlog.cli.ticks import log_ticks, ticks

if TYPE_CHECKING:
    from gitmlog.ops.runs.plot import Chart, Line

_COLORS = ("bright_blue", "yellow", "green", "magenta", "cyan", "red", "white", "bright_black")
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BRAILLE = 0x2800
_SMALLEST = 5


@dataclass(frozen=True)
class Look:
    """How a chart may be drawn: columns and rows in all, whether colours and Unicode are understood."""

    width: int
    height: int
    color: bool
    unicode: bool


@dataclass
class _Canvas:
    """Dots in cells of 2 x 4 (braille), or one letter a cell."""

    width: int
    height: int
    braille: bool
    letters: str
    dots: dict[tuple[int, int], int] = field(default_factory=dict)
    owner: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """Dots across and down."""
        return (self.width * 2, self.height * 4) if self.braille else (self.width, self.height)

    def dot(self, x: int, y: int, number: int) -> None:
        """One dot of line `number`; (0, 0) is at the lower left."""
        y = self.size[1] - 1 - y
        cell = (x // 2, y // 4) if self.braille else (x, y)
        self.dots[cell] = self.dots.get(cell, 0) | (_DOTS[x % 2][y % 4] if self.braille else 0)
        self.owner[cell] = number

    def stroke(self, start: tuple[int, int], end: tuple[int, int], number: int) -> None:
        """A straight line (as Bresenham has it)."""
        (x, y), (to_x, to_y) = start, end
        steps = max(abs(to_x - x), abs(to_y - y), 1)
        for step in range(steps + 1):
            self.dot(x + round((to_x - x) * step / steps), y + round((to_y - y) * step / steps), number)


@dataclass(frozen=True)
class _Scale:
    """From values to dots. With `log` the ends are decimal logarithms; `only` is the one value that there is, if so."""

    start: float
    end: float
    log: bool = False
    only: float | None = None

    def place(self, value: float, dots: int) -> int:
        """Which of so many dots."""
        value = math.log10(value) if self.log else value
        return round(
            (value / 2 - self.start / 2) / (self.end / 2 - self.start / 2) * (dots - 1)
        )  # halves: the whole may be infinite


def draw(chart: Chart, look: Look) -> list[str]:
    """The lines of the chart, its legend below it.

    With colours, all lines are dots, each in its colour. Without, several lines are made of letters, so that they can be told
    apart.
    """
    from gitmlog.ops.runs.plot import thinned

    several = len(chart.lines) > 1
    title = f"{plain(chart.metric)}{' (log)' if chart.log else ''}"
    if chart.is_empty:
        return [title, "there is nothing to draw", *_legend(chart, look)]
    legend = _legend(chart, look)
    height = max(_SMALLEST, look.height - len(legend) - 4)
    braille = look.unicode and (look.color or not several)
    x_scale = _scale((x for line in chart.lines for x, y in zip(line.x, line.y, strict=True) if not math.isnan(y)), log=False)
    y_scale = _scale((y for line in chart.lines for y in line.y if not math.isnan(y)), log=chart.log)
    labels = _y_labels(y_scale, height, 4 if braille else 1)
    margin = max(map(len, labels.values())) + 1
    canvas = _Canvas(max(10, look.width - margin - 2), height, braille, _letters(several))
    for number, line in enumerate(thinned(chart, canvas.size[0]).lines):
        _draw_line(canvas, line, number, x_scale, y_scale)
    rows = [_row(canvas, row, labels.get(row, ""), margin, look) for row in range(height)]
    return [cut(title, look.width), *rows, *_x_axis(x_scale, canvas, margin, chart, look), *legend]


def _letters(several: bool) -> str:
    return "abcdefghijklmnopqrstuvwxyz" if several else "*"


def _scale(values: Iterator[float], *, log: bool) -> _Scale:
    found = [math.log10(value) for value in values] if log else list(values)
    start, end = min(found), max(found)
    if end / 2 - start / 2 <= abs(start) * 1e-12:  # one value only
        spread = abs(start) * 0.1 or 1.0
        return _Scale(start - spread, end + spread, log, start)
    return _Scale(start, end, log)


def _draw_line(canvas: _Canvas, line: Line, number: int, x_scale: _Scale, y_scale: _Scale) -> None:
    across, down = canvas.size
    before: tuple[int, int] | None = None
    for x, y in zip(line.x, line.y, strict=True):
        here = None if math.isnan(y) else (x_scale.place(x, across), y_scale.place(y, down))
        if here is not None:
            canvas.stroke(before or here, here, number)
        before = here


def _y_labels(scale: _Scale, height: int, dots: int) -> dict[int, str]:
    """Row -> the round number that lies in it."""
    count = max(2, height // 3)
    found = log_ticks(scale.start, scale.end, count) if scale.log else ticks(scale.start, scale.end, count)
    return {height - 1 - scale.place(value, height * dots) // dots: text for value, text in found.items()}


def _row(canvas: _Canvas, row: int, label: str, margin: int, look: Look) -> str:
    edge = ("┤" if label else "│") if look.unicode else ("+" if label else "|")
    return (padded(label, margin, right=True) + edge + "".join(_cells(canvas, row, look))).rstrip()


def _cells(canvas: _Canvas, row: int, look: Look) -> Iterator[str]:
    """The row, one text for neighbours of one line."""
    owners = [canvas.owner.get((column, row), -1) for column in range(canvas.width)]
    for number, columns in groupby(range(canvas.width), key=owners.__getitem__):
        text = "".join(_cell(canvas, (column, row), number) for column in columns)
        yield click.style(text, fg=_COLORS[number % len(_COLORS)]) if look.color and number >= 0 else text


def _cell(canvas: _Canvas, cell: tuple[int, int], number: int) -> str:
    if number < 0:
        return " "
    return chr(_BRAILLE + canvas.dots[cell]) if canvas.braille else canvas.letters[number % len(canvas.letters)]


def _x_axis(scale: _Scale, canvas: _Canvas, margin: int, chart: Chart, look: Look) -> Iterator[str]:
    """The line with a mark at each round number, and the numbers below it, what they are at the right or where there is room."""
    corner, line, mark = ("└", "─", "┴") if look.unicode else ("+", "-", "+")
    across = canvas.size[0]
    round_ones = ticks(scale.start, scale.end, max(2, canvas.width // 16), whole=chart.axis == "step")
    texts = round_ones if scale.only is None else {scale.only: number_text(scale.only)}
    found = {scale.place(value, across) * canvas.width // across: text for value, text in texts.items()}
    yield " " * margin + corner + "".join(mark if column in found else line for column in range(canvas.width))
    yield from _below(found, canvas.width, margin + 1, chart.x_label)


def _below(found: Mapping[int, str], width: int, margin: int, label: str) -> Iterator[str]:
    """The numbers centred below their marks; the label between the last two of them, else in a line of its own."""
    text = ""
    starts: list[tuple[int, int]] = []
    for column, number in found.items():
        start = max(0, min(column - len(number) // 2, width - len(number)))
        if starts and start <= len(text):
            continue
        text = text.ljust(start) + number
        starts.append((start, len(text)))
    gaps = [(end, start) for (_, end), (start, _) in pairwise([*starts, (width + 1, 0)])]
    room = next(((end, start) for end, start in reversed(gaps) if start - end >= len(label) + 4), None)
    if room is None:
        yield " " * margin + text
        yield " " * margin + cut(label, width).center(width).rstrip()
        return
    place = room[0] + (room[1] - room[0] - len(label)) // 2
    text = text.ljust(place)
    yield (" " * margin + text[:place] + label + text[place + len(label) :]).rstrip()


def _legend(chart: Chart, look: Look) -> list[str]:
    """A line a run, with the figures that a picture does not tell."""
    names = [plain(line.label) for line in chart.lines]
    figures = [_figures(line) for line in chart.lines]
    width = min(max(map(cells, names)), max(12, look.width - max(map(len, figures)) - 6))
    return [
        f"  {_mark(number, chart, look)} {padded(cut(name, width), width)}  {text}"
        for number, (name, text) in enumerate(zip(names, figures, strict=True))
    ]


def _figures(line: Line) -> str:
    return f"last {number_text(line.last)}, min {number_text(line.min)}, max {number_text(line.max)}"


def _mark(number: int, chart: Chart, look: Look) -> str:
    letters = _letters(len(chart.lines) > 1)
    letter = letters[number % len(letters)]
    if look.color:
        return click.style("━━" if look.unicode else letter, fg=_COLORS[number % len(_COLORS)])
    return "⠒" if look.unicode and len(chart.lines) == 1 else letter
