"""Text of anybody's on its way to a terminal or a spreadsheet: neither shall obey it."""

from __future__ import annotations

import re

# What a terminal obeys, what ends a line for some programs only, and what turns the direction of the text around it.
_OBEYED = "\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_HIDDEN = re.compile(f"[{_OBEYED}]")
_CONTROL = re.compile(f"[\x00-\x08\x0b-\x1f{_OBEYED}]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def escaped(text: str) -> str:
    """A document of JSON, which means the same afterwards: JSON itself escapes only the first of the control characters."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def harmless(text: str) -> str:
    """Text in which each such character is a "?"; line feeds and tabs stay."""
    return _CONTROL.sub("?", text)


def cell(text: str) -> str:
    """A text of a table that a spreadsheet may open: it gets a ' before it where it would be run as a formula."""
    return harmless(f"'{text}" if text.startswith(_FORMULA) else text)
