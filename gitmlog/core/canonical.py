"""Writing TOML in one form only, so that equal facts have equal bytes (spec: run.md, Files)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool
Plain: TypeAlias = "Scalar | datetime | Mapping[str, Plain] | list[Plain] | tuple[Plain, ...]"

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_SPECIAL = re.compile('[\\\\"\x00-\x1f\x7f]')


def quote(text: str) -> str:
    """A TOML basic string."""
    return f'"{_SPECIAL.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04X}"


def key_text(key: str) -> str:
    """A key, quoted only where it must be."""
    return key if _BARE.fullmatch(key) else quote(key)


def value_text(value: Plain) -> str:
    """The one text of a value. Raises TypeError for what TOML has no form for."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key_text(key)} = {value_text(each)}' for key, each in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(value_text(each) for each in value)}]"
    raise TypeError(f"no TOML for {type(value).__name__}")


def lines_of(facts: Mapping[str, Plain]) -> list[str]:
    """`key = value` lines, in the order of `facts`."""
    return [f"{key_text(key)} = {value_text(value)}" for key, value in facts.items()]


def table(name: str, facts: Mapping[str, Plain], *, ordered: bool = False) -> list[str]:
    """A table with a blank line before it, its keys sorted unless they are `ordered`; nothing for an empty one."""
    if not facts:
        return []
    chosen = facts if ordered else dict(sorted(facts.items()))
    return ["", f"[{key_text(name)}]", *lines_of(chosen)]


def block(name: str, rows: Iterable[Mapping[str, Plain]]) -> list[str]:
    """An array of inline tables, one a line; nothing for an empty one."""
    texts = [f"  {value_text(row)}," for row in rows]
    return [f"{name} = [", *texts, "]"] if texts else []
