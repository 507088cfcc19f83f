"""The report for a terminal or a log."""

from __future__ import annotations

from collections.abc import Iterator

from gitmlog.ops.ci.facts import Report
from gitmlog.ops.ci.lines import Line, Theirs, ends, headline, hints, sections


def text(report: Report) -> str:
    """All of it; what anybody wrote is on one line and obeyed by no terminal."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield headline(report)
    yield ends(report)
    for section in sections(report):
        yield ""
        yield section.title
        for number, line in enumerate(section.lines):
            yield f"  {_plain(line)}"
            yield from (f"      {_plain(each)}" for each in section.below.get(number, ()))
    if advice := hints(report):
        yield ""
        yield from advice


def _plain(line: Line) -> str:
    return "".join(piece.text if isinstance(piece, Theirs) else piece for piece in line)
