"""Text in columns: what a repository says is made harmless, cut or wrapped to the width of the terminal."""

from __future__ import annotations

import shutil
import textwrap
import unicodedata
from collections.abc import Sequence

from gitmlog.runs.record import ParamValue
from gitmlog.runs.tags import short

NARROWEST = 40


def terminal_width() -> int:
    """Columns of the terminal; 80 when there is none that says."""
    return max(NARROWEST, shutil.get_terminal_size((80, 24)).columns)


def plain(text: str) -> str:
    """`text` on one line, without what a terminal would obey."""
    line = text if text.isprintable() else " ".join(text.split())
    return line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)


def harmless(text: str) -> str:
    """A line as it is, but for what a terminal would obey; tabs stay."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c == "\t" else "?" for c in text)


def value_text(value: ParamValue | None) -> str:
    """A fact for people: floats as they are, arrays in brackets, nothing as "-"."""
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return f"[{', '.join(value_text(each) for each in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else plain(str(value))


def number_text(value: float) -> str:
    """A measured value, to six significant digits where four say less than it is."""
    return short(value) if float(short(value)) == value else f"{value:.6g}"


def cells(text: str) -> int:
    """Columns that a printable text takes."""
    if text.isascii():
        return len(text)
    return sum((unicodedata.combining(c) == 0) + (unicodedata.east_asian_width(c) in "WF") for c in text)


def cut(text: str, width: int) -> str:
    """`text` in at most `width` columns, with "…" for what is missing."""
    if cells(text) <= width:
        return text
    kept = ""
    for character in text:
        if cells(kept + character) > width - 1:
            break
        kept += character
    return f"{kept}…"


def padded(text: str, width: int, *, right: bool = False) -> str:
    """`text` filled up with spaces."""
    space = " " * (width - cells(text))
    return space + text if right else text + space


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns; at least one."""
    if cells(text) <= width:
        return [text]
    if text.isascii():
        return textwrap.wrap(text, width, break_on_hyphens=False) or [""]
    lines = [""]
    for character in text:
        if cells(lines[-1] + character) > width:
            lines.append("")
        lines[-1] += character
    return lines


def grid(rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), indent: int = 2, width: int | None = None) -> list[str]:
    """Rows of texts as lines: columns as wide as they must be, two spaces between; the first one is cut where all is too wide."""
    if not rows:
        return []
    count = max(len(row) for row in rows)
    widths = [max((cells(row[place]) for row in rows if place < len(row)), default=0) for place in range(count)]
    over = indent + sum(widths) + 2 * (count - 1) - (width or terminal_width())
    if over > 0:
        widths[0] = max(12, widths[0] - over)
    return [" " * indent + _line(row, widths, right).rstrip() for row in rows]


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    first, *others = row
    texts = [cut(first, widths[0]), *others]
    return "  ".join(padded(text, widths[place], right=place in right) for place, text in enumerate(texts))
