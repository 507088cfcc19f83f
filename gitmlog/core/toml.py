"""Reading TOML that anybody may have written: what would cost time or memory is refused before it is parsed."""

from __future__ import annotations

import re
from typing import Any

MAX_NESTING = 32
MAX_TABLES = 5_000

# Strings and comments as a whole (also when their end is missing: the parser says so), then what can nest.
_TOKEN = re.compile(
    r'"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+(?:"{3,5})?'
    r"|'''(?:[^']++|'{1,2}(?!'))*+(?:'{3,5})?"
    r'|"(?:[^"\\\n]++|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|\#[^\n]*+"
    r"|[\[\]{}.=,\n]",
    re.DOTALL,
)
_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)
_LONGEST = 200


class TomlError(ValueError):
    """Not TOML, or more than is allowed. `line` is 0 where it is not known."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def parse_toml(text: str) -> dict[str, Any]:
    """The table in `text`.

    Raises:
        TomlError: it is no TOML, nests deeper than MAX_NESTING, or has more than MAX_TABLES tables.
    """
    import tomllib

    _check_nesting(text)
    if sum(1 for _ in _TABLE.finditer(text)) > MAX_TABLES:
        raise TomlError(f"more than {MAX_TABLES} tables")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # not only TOMLDecodeError: an integer of a million digits is a ValueError
        said = str(error)
        found = re.search(r"\(at (?:line (\d+), column \d+|end of document)\)$", said)
        line = int(found[1] or text.count("\n") + 1) if found else 0
        raise TomlError(f"not TOML: {shorten(said)}", line) from error


def _check_nesting(text: str) -> None:
    """Brackets within brackets, or dots within one key."""
    depth = dots = 0
    line = 1
    for match in _TOKEN.finditer(text):
        found = match[0]
        if found in "[{":
            depth += 1
            dots = 0
        elif found in "]}":
            depth = max(0, depth - 1)
        elif found == ".":
            dots += 1
        elif found in "=,\n":
            dots = 0
        line += found.count("\n")
        if depth > MAX_NESTING or dots > MAX_NESTING:
            raise TomlError(f"nested deeper than {MAX_NESTING}", line)


def shorten(text: str) -> str:
    """`text` for a message: printable, and not longer than a few lines."""
    shown = text if text.isprintable() else repr(text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
