"""What a query is made of (guide: finding-runs), and how a mistake in one is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from gitmlog.core.errors import UsageError
from gitmlog.core.toml import shorten

SPACES = ("metrics", "min", "max", "params", "tags")
"""What stands before the dot: the value logged last, the smallest, the largest; parameters; tags."""

TEXTS = ("id", "name", "status", "user", "host", "commit", "branch", "parent")
TIMES = ("started", "ended")
NUMBERS = ("seconds", "exit")
ATTRIBUTES = (*TEXTS, *TIMES, *NUMBERS, "archived")
STATUSES = ("FINISHED", "FAILED", "KILLED", "RUNNING")
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=", "~", "!~")


HINT = "compare with = != < <= > >= ~ in like, join with and, or, not: `gitmlog help finding-runs`"
_AROUND = 24


@dataclass(frozen=True)
class Field:
    """A fact of a run: `space` is one of SPACES, or "" for an attribute."""

    space: str
    key: str

    def __str__(self) -> str:
        """As it is written in a query."""
        if not self.space:
            return self.key
        plain = re.fullmatch(r"""[^\s=!<>~(),'"]+""", self.key)
        doubled = self.key.replace('"', '""')
        return f"{self.space}.{self.key}" if plain else f'{self.space}."{doubled}"'


@dataclass(frozen=True)
class Literal:
    """A value to compare with: its text, and whether it stood in quotes."""

    text: str
    quoted: bool
    at: int


@dataclass(frozen=True)
class Has:
    """Whether the fact is there."""

    field: Field


@dataclass(frozen=True)
class Test:
    """A comparison: one of COMPARISONS, "in" or "like"."""

    __test__ = False  # no test of pytest's

    field: Field
    op: str
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Not:
    """The opposite."""

    part: Node


@dataclass(frozen=True)
class Join:
    """All (`and`) or any (`or`) of the parts."""

    word: str
    parts: tuple[Node, ...]


Node: TypeAlias = Has | Test | Not | Join


@dataclass(frozen=True)
class Key:
    """One key to sort by."""

    field: Field
    descending: bool


def fields_of(node: Node | None) -> Iterator[Field]:
    """Every fact that a condition asks for."""
    if isinstance(node, Join):
        for part in node.parts:
            yield from fields_of(part)
    elif isinstance(node, Not):
        yield from fields_of(node.part)
    elif node is not None:
        yield node.field


def joining(word: str) -> str:
    """The hint for somebody who joins conditions as in C; "" for nobody."""
    found = next((sign for sign in ("&&", "||", "&", "|") if sign in word), "")
    return f"conditions are joined with `{'and' if found[0] == '&' else 'or'}`, not with `{found}`" if found else ""


def bad_query(text: str, at: int, problem: str, hint: str = HINT) -> UsageError:
    """The error for a query, with a mark before the place in question."""
    before = ("…" if at > _AROUND else "") + text[max(0, at - _AROUND) : at]
    after = text[at : at + _AROUND] + ("…" if len(text) > at + _AROUND else "")
    shown = shorten(f"{before}▸{after}".replace("\n", " "))
    return UsageError(f"{problem}, at character {at + 1}: {shown}", kind="bad-query", hint=hint)
