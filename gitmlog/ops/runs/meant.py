"""What the words of a query mean in this repository: bare names of metrics, and runs that are named as people name them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gitmlog.core.errors import NotFoundError
from gitmlog.runs.index import Index
from gitmlog.runs.index_schema import Entry
from gitmlog.runs.query_nodes import Field, Has, Join, Literal, Node, Not, Test

_SPACES = ("metrics", "params")
_RUNS = (Field("", "id"), Field("", "parent"))


def bare_names(index: Index, live: Sequence[Entry]) -> Callable[[str], Field | None]:
    """What tells the metric, else the parameter, of a name without a namespace; None when no run has one."""

    def field(key: str) -> Field | None:
        for space in _SPACES:
            if key in index.keys(space) or any(key in getattr(entry.record, space) for entry in live):
                return Field(space, key)
        return None

    return field


def with_ids(node: Node | None, ids: Callable[[str], Sequence[str]]) -> tuple[Node | None, list[str]]:
    """The condition with the ids of what `id =` and `parent =` name, and what is to be said of names that no run has.

    Raises:
        UsageError: kind `ambiguous-run`: the beginning of several ids.
    """
    problems: list[str] = []

    def meant(literal: Literal) -> list[Literal]:
        try:
            return [replace(literal, text=found) for found in ids(literal.text)]
        except NotFoundError as error:
            problems.append(error.message)
            return [literal]

    def change(node: Node) -> Node:
        if isinstance(node, Join):
            return replace(node, parts=tuple(map(change, node.parts)))
        if isinstance(node, Not):
            return Not(change(node.part))
        if not isinstance(node, Test) or node.field not in _RUNS or node.op not in ("=", "!=", "in"):
            return node
        named = Test(node.field, "in", tuple(each for literal in node.values for each in meant(literal)))
        return named if node.op != "!=" else Join("and", (Has(node.field), Not(named)))

    return (None if node is None else change(node)), problems
