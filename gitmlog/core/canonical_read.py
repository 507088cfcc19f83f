"""Reading TOML in the form that gitmlog writes, seven times as quickly as the parser that reads all of TOML.

What is not exactly in that form is left to the real parser, which alone decides what is an error.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from gitmlog.core.toml import parse_toml

_STRING = r'"(?:[^"\\\x00-\x1f\x7f]|\\["\\ntr]|\\u00[0-7][0-9A-F])*"'
_INTEGER = r"-?(?:0|[1-9][0-9]{0,30})"
_FLOAT = r"-?(?:(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30}(?:e[+-][0-9]{1,3})?|e[+-][0-9]{1,3})|inf)|nan"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
_SCALAR = re.compile(
    rf"(?P<s>{_STRING})|(?P<t>{_TIME})|(?P<f>{_FLOAT})|(?P<i>{_INTEGER})|(?P<b>true|false)", re.ASCII
)  # the longer number first
_KEY = re.compile(rf"([A-Za-z0-9_-]+)|({_STRING})", re.ASCII)
_HEAD = re.compile(r"\[([A-Za-z0-9_-]+)\]", re.ASCII)
_ESCAPE = re.compile(r"\\(?:u([0-9A-F]{4})|(.))")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class _OtherFormError(Exception):
    """Not in canonical form."""


def read_canonical(text: str) -> dict[str, Any]:
    """The table in `text`, whatever form of TOML it has. Raises TomlError."""
    found = fast(text)
    return parse_toml(text) if found is None else found


def fast(text: str) -> dict[str, Any] | None:
    """The table in `text` when it is canonical, else None."""
    try:
        return _table(text)
    except (_OtherFormError, ValueError):  # ValueError: a day that no calendar has
        return None


def _table(text: str) -> dict[str, Any]:
    top: dict[str, Any] = {}
    table = top
    for line in text.split("\n"):
        if not line:
            continue
        if line[0] == "[":
            head = _HEAD.fullmatch(line)
            if head is None or head[1] in top:
                raise _OtherFormError
            table = top[head[1]] = {}
            continue
        key, at = _key(line, 0, table)
        table[key], at = _value(line, at)
        if at != len(line):
            raise _OtherFormError
    return top


def _key(text: str, at: int, table: dict[str, Any]) -> tuple[str, int]:
    """The new key at `at`, and where its value begins."""
    found = _KEY.match(text, at)
    if found is None or not text.startswith(" = ", found.end()):
        raise _OtherFormError
    key = found[1] or _string(found[2])
    if key in table:
        raise _OtherFormError
    return key, found.end() + 3


def _value(text: str, at: int) -> tuple[Any, int]:
    first = text[at : at + 1]
    if first == "[":
        return _array(text, at + 1)
    if first == "{":
        return _inline(text, at + 1)
    return _scalar(text, at)


def _scalar(text: str, at: int) -> tuple[Any, int]:
    found = _SCALAR.match(text, at)
    if found is None:
        raise _OtherFormError
    kind, said = found.lastgroup, found[0]
    if kind == "s":
        return _string(said), found.end()
    if kind == "f":
        return float(said), found.end()
    if kind == "i":
        return int(said), found.end()
    if kind == "b":
        return said == "true", found.end()
    return datetime.fromisoformat(said[:-1]).replace(tzinfo=UTC), found.end()


def _array(text: str, at: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    if text.startswith("]", at):
        return items, at + 1
    while True:
        item, at = _scalar(text, at)
        items.append(item)
        if text.startswith("]", at):
            return items, at + 1
        if not text.startswith(", ", at):
            raise _OtherFormError
        at += 2


def _inline(text: str, at: int) -> tuple[dict[str, Any], int]:
    items: dict[str, Any] = {}
    if text.startswith("}", at):
        return items, at + 1
    while True:
        key, at = _key(text, at, items)
        items[key], at = _scalar(text, at)
        if text.startswith("}", at):
            return items, at + 1
        if not text.startswith(", ", at):
            raise _OtherFormError
        at += 2


def _string(quoted: str) -> str:
    inner = quoted[1:-1]
    return _ESCAPE.sub(_unescape, inner) if "\\" in inner else inner


def _unescape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _ESCAPES.get(found[2], found[2])
