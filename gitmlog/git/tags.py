"""Annotated tags, many at once: their refs straight from the git directory, their text as it is stored."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gitmlog.core.atomic import READ_FLAGS
from gitmlog.core.errors import DataError, MissingDataError
from gitmlog.core.paths import display

if TYPE_CHECKING:
    import pygit2

MAX_TAG = (1 << 20) + (1 << 16)
"""Bytes of a tag object that is read: a message, its head, a signature."""

_OBJECT = re.compile(rb"([0-9a-f]{40}(?:[0-9a-f]{24})?)\n?")
_HEAD = re.compile(rb"object ([0-9a-f]{40,64})\ntype ([a-z]+)\ntag ([^\n]*)\n(?:[^\n]+\n)*\n")
_LONGEST_REF = 1024
_TICK = 10_000_000  # nanoseconds: no kernel's clock for files is coarser, but for the file systems below
_COARSE_TICK = 2_000_000_000


class HasObjects(Protocol):
    """A repository, with a working tree or without."""

    @property
    def handle(self) -> pygit2.Repository:
        """The repository as pygit2 has it."""


@dataclass(frozen=True)
class TagText:
    """An annotated tag: its own name, what it points to, its message."""

    name: str
    target: str
    message: str


@dataclass(frozen=True)
class RefsState:
    """How some refs were at one moment.

    Attributes:
        text: equal when nothing was created, moved or deleted in between.
        settled: whether a change since then would show in `text`, even one in the same tick of the clock.
    """

    text: str
    settled: bool


def refs_state(commondir: Path, prefixes: Sequence[str]) -> RefsState:
    """The state of the refs right below `prefixes` ("refs/tags/run/"), by the stat of their folders and of packed-refs alone."""
    now = time.time_ns()
    found = []
    newest = 0
    for name in (*prefixes, "packed-refs"):
        with suppress(FileNotFoundError, NotADirectoryError):
            info = os.stat(commondir / name)
            found.append(f"{name} {info.st_mtime_ns} {info.st_ctime_ns} {info.st_ino} {info.st_size}")
            newest = max(newest, info.st_mtime_ns, info.st_ctime_ns)
    tick = _COARSE_TICK if newest % 1_000_000_000 == 0 else _TICK
    return RefsState("\n".join(found), newest + tick < now)


def refs_below(commondir: Path, prefixes: Sequence[str]) -> dict[str, str]:
    """The refs right below `prefixes`, loose and packed: ref -> object. A loose one that names no object has "".

    Loose ones are read first: git packs a ref before it deletes the loose file, so that none is missed.
    """
    loose = {ref: oid for prefix in prefixes for ref, oid in _loose(commondir, prefix)}
    return dict(_packed(commondir, prefixes)) | loose


def _loose(commondir: Path, prefix: str) -> Iterator[tuple[str, str]]:
    try:
        folder = os.open(commondir / prefix, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        for name in os.listdir(folder):
            if not name.endswith(".lock"):
                oid = _loose_value(folder, name)
                if oid is not None:
                    yield prefix + name, oid
    finally:
        os.close(folder)


def _loose_value(folder: int, name: str) -> str | None:
    """None for what is no file, or is gone by now."""
    try:
        fd = os.open(name, READ_FLAGS, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError:
        return ""
    try:
        found = _OBJECT.fullmatch(os.read(fd, 100))
        return found[1].decode() if found else ""
    except IsADirectoryError:
        return None
    finally:
        os.close(fd)


def _packed(commondir: Path, prefixes: Sequence[str]) -> Iterator[tuple[str, str]]:
    try:
        data = (commondir / "packed-refs").read_bytes()
    except FileNotFoundError:
        return
    choice = b"|".join(re.escape(prefix.encode()) for prefix in prefixes)
    for found in re.finditer(rb"^([0-9a-f]{40,64}) ((?:%s)[^/\n]{1,%d})$" % (choice, _LONGEST_REF), data, re.MULTILINE):
        yield found[2].decode("utf-8", "surrogateescape"), found[1].decode()


def read_tag(repo: HasObjects, ref: str, oid: str) -> TagText:
    """The annotated tag `oid` that `ref` names.

    Raises:
        DataError: kind `bad-run`: it is no annotated tag of a commit, is not UTF-8, or is too large.
        MissingDataError: kind `bad-run`: the tag or its commit is not there.
    """
    from pygit2 import Oid
    from pygit2.enums import ObjectType

    odb = repo.handle.odb
    try:
        identity = Oid(hex=oid)
        kind, size = odb.read_header(identity)
        if kind != ObjectType.TAG:
            raise _bad(ref, f"it is no annotated tag but names a {ObjectType(kind).name.lower()}")
        if size > MAX_TAG:
            raise _bad(ref, f"the tag has {size:,} bytes (at most {MAX_TAG:,})")
        tag = _parse(ref, odb.read(identity)[1])
        there = odb.exists(Oid(hex=tag.target))
    except (KeyError, ValueError) as error:
        raise _bad(ref, f"its object {oid[:12] or 'is not named, or'} is not there", MissingDataError) from error
    if not there:
        raise _bad(ref, f"its commit {tag.target[:12]} is not there", MissingDataError)
    return tag


def _parse(ref: str, data: bytes) -> TagText:
    head = _HEAD.match(data)
    if head is None:
        raise _bad(ref, "the tag object has no head that could be read")
    if head[2] != b"commit":
        raise _bad(ref, f"it points to a {head[2].decode()}, not to a commit")
    try:
        return TagText(head[3].decode(), head[1].decode(), data[head.end() :].decode())
    except UnicodeDecodeError as error:
        raise _bad(ref, "the tag is not UTF-8") from error


def _bad(ref: str, problem: str, family: type[DataError] = DataError) -> DataError:
    name = display(ref.removeprefix("refs/tags/"))
    hint = f"it is hostile, damaged or no run of gitmlog's: git show {name}; git update-ref -d {display(ref)} takes it away"
    return family(f"tag {name}: {problem}", kind="bad-run", hint=hint)
