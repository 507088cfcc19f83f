"""The report as a comment on a code host: within its limit; nothing that anybody wrote becomes a link, an image or a mention."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from gitmlog.ops.ci.facts import Report
from gitmlog.ops.ci.lines import Line, Section, Theirs, ends, headline, hints, sections

MARKER = "<!-- gitmlog-review -->"
"""The first line of the comment: by it, and by its author, it is found again."""

LIMIT = 65_536
"""Bytes: the hosts count characters, of which there are never more."""

SHOWN = 25
"""Lines of a section that are not folded."""

_TICKS = re.compile("`+")
_CUT = "\n…\n\n**Cut here**: it does not fit a comment. The full report is in the pipeline's artifact `gitmlog-report`.\n"


def code(text: str) -> str:
    """A code span of CommonMark with exactly this text: in it no host knows links, mentions, references, entities or HTML."""
    if not text:
        return "` `"
    longest = max((len(found) for found in _TICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    edge = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{fence}{edge}{text}{edge}{fence}"


def markdown(report: Report, limit: int = LIMIT) -> str:
    """The comment, `limit` bytes of UTF-8 at most."""
    head = [MARKER, f"### {'⚠️' if report.needs_attention else '✅'} gitmlog: {headline(report)}", ""]
    tail = ["", f"<sub>{ends(report)}</sub>", ""]
    advice = [f"> {hint}" for hint in hints(report)]
    body = chain.from_iterable(_section(section) for section in sections(report))
    return "\n".join([*head, *advice, *([""] if advice else []), *_fitting(body, limit - _room(head, advice, tail)), *tail])


def _room(*parts: list[str]) -> int:
    """Bytes of all that stands in any case, the notice of a cut and the ends of lines among it."""
    fixed = "\n".join(line for part in parts for line in part)
    return len(fixed.encode()) + len(_CUT.encode()) + len("</details>") + 16


def _fitting(lines: Iterable[str], room: int) -> Iterator[str]:
    """As many lines as there is room for; a fold that is open is closed."""
    is_open = False
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            yield from (["", "</details>"] if is_open else [])
            yield _CUT
            return
        is_open = line.startswith("<details>") or (is_open and line != "</details>")
        yield line


def _section(section: Section) -> Iterator[str]:
    yield f"**{section.title}** ({len(section.lines):,})"
    yield ""
    yield from _items(section, range(min(SHOWN, len(section.lines))))
    rest = range(SHOWN, len(section.lines))
    if rest:
        yield ""
        yield f"<details><summary>and {len(rest):,} more</summary>"
        yield ""
        yield from _items(section, rest)
        yield ""
        yield "</details>"
    yield ""


def _items(section: Section, numbers: range) -> Iterator[str]:
    for number in numbers:
        yield f"- {_inline(section.lines[number])}"
        yield from (f"  - {_inline(line)}" for line in section.below.get(number, ()))


def _inline(line: Line) -> str:
    return "".join(code(piece.text) if isinstance(piece, Theirs) else piece for piece in line)
