"""The text of a tree: what a tracked directory holds (spec: tree.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import DataError
from gitmlog.core.paths import path_problem
from gitmlog.metafile.schema import MAX_SIZE

HEADER = "gitmlog-tree 1\n"
MAX_ENTRIES = 10_000_000
MAX_BYTES = 2 << 30

Kind = Literal["-", "x", "l"]
_LINE = re.compile(r"([-xl]) ([0-9a-f]{64}) (0|[1-9][0-9]{0,18}) (.+)", re.DOTALL)
_NEWER = re.compile(rb"gitmlog-tree ([0-9]{1,9})\n")


class TreeEntry(NamedTuple):
    """One file or link: its path, what it is, the object, bytes."""

    path: str
    kind: Kind
    oid: ObjectId
    size: int


def format_tree(entries: Iterable[TreeEntry]) -> bytes:
    """The one text of these entries, in any order given.

    Raises:
        DataError: kind `bad-tree`, when a path stands twice or is also a folder.
    """
    ordered = sorted(entries)
    _check_paths([entry.path for entry in ordered], "the tree")
    lines = [f"{kind} {oid} {size} {path}\n" for path, kind, oid, size in ordered]
    return (HEADER + "".join(lines)).encode()


def parse_tree(data: bytes, where: str) -> tuple[TreeEntry, ...]:
    """The entries in `data`, sorted; `where` names the tree in errors.

    Raises:
        DataError: kinds `bad-tree` and `newer-version`, with the line.
    """
    lines = _lines(data, where)
    if len(lines) > MAX_ENTRIES:
        raise _bad(where, 0, f"more than {MAX_ENTRIES} entries")
    entries = tuple([_entry(line, where, number) for number, line in enumerate(lines, 2)])
    paths = [entry.path for entry in entries]
    if paths != sorted(paths):  # code points sort as their UTF-8 bytes do
        raise _bad(where, 0, "the entries are not sorted")
    if sum(entry.size for entry in entries) > MAX_SIZE:
        raise _bad(where, 0, "the sum of sizes is 2^63 or more")
    _check_paths(paths, where)
    return entries


def _lines(data: bytes, where: str) -> list[str]:
    if len(data) > MAX_BYTES:
        raise _bad(where, 0, f"{len(data)} bytes (at most {MAX_BYTES})")
    if not data.startswith(HEADER.encode()):
        newer = _NEWER.match(data)
        if newer and int(newer.group(1)) > 1:
            hint = "upgrade gitmlog: `python -m pip install --upgrade gitmlog`"
            raise DataError(f"{where} is a tree of version {newer.group(1).decode()}", kind="newer-version", hint=hint)
        raise _bad(where, 1, "it does not begin with 'gitmlog-tree 1'")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad(where, 0, f"not UTF-8 at byte {error.start}") from error
    if not text.endswith("\n"):
        raise _bad(where, 0, "the last line does not end")
    return text.split("\n")[1:-1]


def _entry(line: str, where: str, number: int) -> TreeEntry:
    match = _LINE.fullmatch(line)
    if match is None:
        raise _bad(where, number, "no entry")
    kind, oid, size, path = match.groups()
    if problem := path_problem(path):
        raise _bad(where, number, problem)
    return TreeEntry(path, kind, ObjectId(oid), int(size))  # type: ignore[arg-type]


def _check_paths(ordered: list[str], where: str) -> None:
    """No path twice, and none that is a folder of another."""
    files = set(ordered)
    if len(files) != len(ordered):
        raise _bad(where, 0, "a path stands twice")
    folders = {path.rpartition("/")[0] for path in ordered}
    while folders:
        if clash := folders & files:
            raise _bad(where, 0, f"{min(clash)!r} is a file and a folder")
        folders = {folder.rpartition("/")[0] for folder in folders if folder} - {""}


def _bad(where: str, line: int, problem: str) -> DataError:
    place = f"{where}, line {line}" if line else where
    hint = "nothing of it was used; `gitmlog verify --repair` fetches a whole copy when a remote has one"
    return DataError(f"{place}: {problem}", kind="bad-tree", hint=hint)
