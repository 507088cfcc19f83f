"""The table of the README: seconds, ratios, and plainly where a goal is missed."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.measure import Sample
from tests.benchmarks.rows import Row

BEGIN, END = "<!-- benchmarks:begin -->", "<!-- benchmarks:end -->"
_PEERS = ("dvc", "dvc, hardlink", "git-lfs", "git-annex")


def render(rows: list[Row], about: list[str]) -> str:
    """Markdown."""
    lines = [
        "| work | goal | baseline | gitmlog | peers (x slower than gitmlog) | peak memory |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_line(row) for row in rows]
    return "\n".join([*lines, "", *about])


def _line(row: Row) -> str:
    own = row.samples["gitmlog"]
    baseline = f"{row.baseline[0]}: {_seconds(row.baseline[1])}" if row.baseline else ""
    mine = _seconds(own) + (f" ({own.seconds / row.baseline[1].seconds:.2f} x)" if row.baseline else "")
    for name in ("gitmlog, hardlink", "gitmlog status"):
        if name in row.samples:
            mine += f"<br>{name.removeprefix('gitmlog, ')}: {_seconds(row.samples[name])}"
    peers = "<br>".join(
        f"{name}: {_seconds(row.samples[name])} ({_ratio(row, name):.1f} x)" for name in _PEERS if name in row.samples
    )
    return f"| {row.name} | {_goals(row)} | {baseline} | {mine} | {peers} | {own.peak / 1e6:.0f} MB |"


def _goals(row: Row) -> str:
    words = []
    for name, goal in row.goals.items():
        if row.baseline and name == row.baseline[0]:
            reached = row.samples["gitmlog"].seconds / row.baseline[1].seconds <= goal
            words.append(f"<= {goal:g} x {name}: {'yes' if reached else '**no**'}")
        elif name in row.samples:
            words.append(f">= {goal:g} x faster than {name}: {'yes' if _ratio(row, name) >= goal else '**no**'}")
    return "<br>".join(words)


def _ratio(row: Row, name: str) -> float:
    return row.samples[name].seconds / row.samples["gitmlog"].seconds


def _seconds(sample: Sample) -> str:
    return f"{sample.seconds * 1000:.0f} ms" if sample.seconds < 1 else f"{sample.seconds:.2f} s"


def write_readme(readme: Path, table: str) -> None:
    """Put the table between the README's markers."""
    text = readme.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    readme.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")
