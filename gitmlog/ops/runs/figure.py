"""A chart as a file: PNG and SVG by matplotlib, HTML in one piece that follows the reader's light or dark."""

from __future__ import annotations

import html
import io
import math
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitmlog.core.errors import GitmlogError, UsageError
from gitmlog.core.paths import display
from gitmlog.ops.runs.files import check_free, publish
from gitmlog.ops.runs.plot import Chart, Line, thinned
from gitmlog.runs.tags import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".html")
_SIZE = (9.6, 5.4)
_DPI = 150
_COLUMNS = 1400
_FEW = 40
"""Up to this many points each has a mark of its own."""

_COLORS = ("#0060a8", "#c04a00", "#00785a", "#8a3d8f", "#7a6200", "#2f2f2f", "#b0003a", "#1f8fb5")
_DARK = ("#6db8ff", "#ff9d5c", "#4fd1a5", "#e29be8", "#e6c84a", "#e8e8e8", "#ff7a9c", "#7fdcff")
_STYLES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (7, 1.5, 1, 1.5, 1, 1.5)), (0, (1, 3)), (0, (9, 3)), (0, (4, 1, 4, 4)))
_MARKS = "os^DvPX*"
_INK, _GRID = "#1b1f24", "#d8dde3"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "gitmlog", "path.simplify": True}


def check_format(path: Path) -> None:
    """Refuse a name that says no format. Raises UsageError, kind `bad-format`."""
    if path.suffix.lower() not in FORMATS:
        hint = "end the name in .png, .svg or .html"
        raise UsageError(f"{display(path)} does not say which format is wanted", kind="bad-format", hint=hint)


def save(chart: Chart, path: Path, *, force: bool = False) -> None:
    """Write the chart to `path`, in the format that its name ends in; durable.

    Raises:
        UsageError: kind `bad-format`.
        RefusedError: kind `exists`, and `force` is false.
        GitmlogError: kind `missing-extra`: matplotlib is not installed.
    """
    check_format(path)
    check_free(path, force)
    form = path.suffix.lower()
    data = _html(chart).encode() if form == ".html" else _render(chart, form[1:], transparent=False)
    publish(path, data, force=force)


def _render(chart: Chart, form: str, *, transparent: bool) -> bytes:
    """The bytes of the picture; neither pyplot nor anybody's settings are touched for longer than it takes."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        hint = "pip install 'gitmlog[plot]'"
        raise GitmlogError("matplotlib is not installed, which writes pictures", kind="missing-extra", hint=hint) from error
    buffer = io.BytesIO()
    with warnings.catch_warnings(), mpl.rc_context({**mpl.rcParamsDefault, **_SETTINGS, "backend": "agg"}):
        warnings.simplefilter("ignore")  # a name in letters that the font lacks
        figure = Figure(figsize=_SIZE, layout="constrained")
        _draw(figure, thinned(chart, _COLUMNS), title=not transparent)
        metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
        figure.savefig(buffer, format=form, dpi=_DPI, transparent=transparent, metadata=metadata)
    return buffer.getvalue()


def _draw(figure: Figure, chart: Chart, *, title: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    axes = figure.add_subplot()
    for number, line in enumerate(chart.lines):
        _draw_line(axes, line, number)
    axes.set_xlabel(chart.x_label, color=_INK)
    if chart.axis == "step":
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 2.5, 5, 10]))
    if title:
        axes.set_title(printable(chart.metric), loc="left", color=_INK, fontweight="bold", parse_math=False)
    if chart.log and not chart.is_empty:
        axes.set_yscale("log")
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_INK)
    if len(chart.lines) > 1:
        _legend(axes, chart)


def _draw_line(axes: Axes, line: Line, number: int) -> None:
    few, dense = sum(map(math.isfinite, line.y)) <= _FEW, len(line.y) > _COLUMNS
    look: dict[str, Any] = {"color": _COLORS[number % 8], "linestyle": _STYLES[number % 8], "linewidth": 0.9 if dense else 1.6}
    look |= {"marker": _MARKS[number % 8], "markersize": 4.5} if few else {}
    axes.plot(line.x, line.y, gid=f"line{number}", **look)


def _legend(axes: Axes, chart: Chart) -> None:
    """The labels come after: matplotlib leaves out those that begin with "_", and reads "$" as mathematics."""
    legend = axes.legend(
        axes.lines, [str(number) for number in range(len(chart.lines))], frameon=False, labelcolor=_INK, handlelength=3.6
    )
    for text, line in zip(legend.get_texts(), chart.lines, strict=True):
        text.set_parse_math(False)
        text.set_text(printable(line.label))
    for handle in legend.get_lines():
        handle.set_linewidth(2.2)


def printable(text: str) -> str:
    """Without the characters that XML and fonts have no place for."""
    return _CONTROL.sub("?", text)


def _html(chart: Chart) -> str:
    svg = _render(chart, "svg", transparent=True).decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    for color, name in {_INK: "ink", _GRID: "grid", **{color: f"c{number}" for number, color in enumerate(_COLORS)}}.items():
        svg = svg.replace(f": {color}", f": var(--{name})")
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', _opening(chart), svg, count=1)
    title = html.escape(printable(chart.metric))
    return _PAGE.format(title=title, style=_STYLE, svg=svg, rows=_rows(chart), notes=_notes(chart.notes))


def _opening(chart: Chart) -> str:
    label = html.escape(f"{printable(chart.metric)} by {chart.x_label}, {len(chart.lines)} runs").replace("\\", "\\\\")
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return rf'<svg {names} role="img" aria-label="{label}" viewBox="\1">'


def _rows(chart: Chart) -> str:
    return "\n".join(_row(line, number) for number, line in enumerate(chart.lines))


def _row(line: Line, number: int) -> str:
    numbers = "".join(f"<td>{short(value)}</td>" for value in (line.last, line.min, line.max))
    steps = f"<td>{line.count:,}</td>"
    swatch = f'<svg class="key" viewBox="0 0 28 8" aria-hidden="true"><path d="M0 4H28" style="{_swatch(number)}"/></svg>'
    label = html.escape(printable(line.label))
    return f'<tr><th scope="row">{swatch}{label}</th><td class="id">{html.escape(line.run)}</td>{numbers}{steps}</tr>'


def _swatch(number: int) -> str:
    dashes = {0: "none", 1: "6 3", 2: "2 3", 3: "7 3 2 3", 4: "9 2 1 2 1 2", 5: "2 5", 6: "11 5", 7: "5 2 5 6"}[number % 8]
    return f"stroke: var(--c{number % 8}); stroke-width: 2; stroke-dasharray: {dashes}"


def _notes(notes: Sequence[str]) -> str:
    return "".join(f"<p>{html.escape(printable(note))}</p>" for note in notes)


def _colors(ink: str, paper: str, grid: str, colors: Sequence[str]) -> str:
    return f"--ink: {ink}; --paper: {paper}; --grid: {grid}; " + " ".join(f"--c{n}: {color};" for n, color in enumerate(colors))


_STYLE = f"""
:root {{ color-scheme: light dark; {_colors(_INK, "#ffffff", _GRID, _COLORS)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_colors("#e6e9ee", "#14171b", "#363c44", _DARK)} }} }}
body {{ margin: 2rem auto; max-width: 60rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.3rem; overflow-wrap: anywhere; }}
svg[role=img] {{ width: 100%; height: auto; }}
svg.key {{ width: 2rem; height: .6rem; margin-right: .6rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .35rem .6rem; border-bottom: 1px solid var(--grid); text-align: right; white-space: nowrap; }}
th[scope=row], th:first-child, td.id, th.id {{ text-align: left; font-weight: 400; }}
thead th {{ font-weight: 600; }}
td.id {{ font-family: ui-monospace, monospace; font-size: .85em; }}
""".strip()

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<h1>{title}</h1>
<figure style="margin: 0">
{svg}
</figure>
<div class="scroll"><table>
<thead><tr><th>run</th><th class="id">id</th><th>last</th><th>min</th><th>max</th><th>values</th></tr></thead>
<tbody>
{rows}
</tbody>
</table></div>
{notes}
</body>
</html>
"""
