"""artifacts.toml: the objects that belong to one run only (spec: run.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gitmlog.core.canonical import Plain, block
from gitmlog.core.digest import ObjectId, is_object_id
from gitmlog.core.paths import path_problem
from gitmlog.runs.reader import MAX_SIZE, VERSION, Reader, read_table
from gitmlog.runs.record import FOLDER, is_run_id

NAME = "artifacts.toml"
MAX_ARTIFACTS = 100_000
"""Of one run."""

MAX_LISTING = 64 << 20
"""Bytes of a listing in its canonical form; of any other as much as any text of a run."""

_ROW = re.compile(
    r'  \{path = "([^"\\\x00-\x1f]*)", version = ([1-9][0-9]{0,8}), blake3 = "([0-9a-f]{64})", size = (0|[1-9][0-9]{0,18})'
    r"(?:, files = (0|[1-9][0-9]{0,18}))?\},"
)


@dataclass(frozen=True, order=True)
class Artifact:
    """One version of one name: its object, bytes, and for a directory the entries of its tree."""

    path: str
    version: int
    blake3: ObjectId
    size: int
    files: int | None = None


@dataclass(frozen=True)
class Artifacts:
    """What artifacts.toml lists.

    Attributes:
        artifact: what was logged, every version.
        output: versions of outputs that a later one of the same run replaced.
        record: metrics.csv, log.txt, system.csv.
    """

    artifact: tuple[Artifact, ...] = ()
    output: tuple[Artifact, ...] = ()
    record: tuple[Artifact, ...] = ()

    @property
    def all(self) -> tuple[Artifact, ...]:
        """Every entry."""
        return (*self.artifact, *self.output, *self.record)

    def find(self, path: str, version: int | None = None) -> Artifact | None:
        """The artifact, output or record of this name: the highest version, unless one is named."""
        found = [each for each in self.all if each.path == path and version in (None, each.version)]
        return max(found, key=lambda each: each.version, default=None)


def format_artifacts(artifacts: Artifacts) -> bytes:
    """The one text of these entries."""
    lines = [f"version = {VERSION}"]
    for name in ("artifact", "output", "record"):
        lines += block(
            name, (_row(each) for each in sorted(getattr(artifacts, name), key=lambda each: (each.path, each.version)))
        )
    return ("\n".join(lines) + "\n").encode()


def _row(each: Artifact) -> dict[str, Plain]:
    row: dict[str, Plain] = {"path": each.path, "version": each.version, "blake3": each.blake3, "size": each.size}
    return row if each.files is None else row | {"files": each.files}


def parse_artifacts(data: bytes, where: str) -> Artifacts:
    """The entries in `data`; `where` names the file in errors. Raises DataError, kinds `bad-run` and `newer-version`."""
    found = _canonical(data)
    if found is not None:
        return found
    reader = Reader(read_table(data, where), where)
    found = Artifacts(*(tuple(_entries(reader, name)) for name in ("artifact", "output", "record")))
    reader.end()
    return found


def _canonical(data: bytes) -> Artifacts | None:
    """A listing in exactly the form that is written, a line at a time; None for any other, which may be as good."""
    if len(data) > MAX_LISTING:
        return None
    lines = data.decode("utf-8", "replace").split("\n")
    if lines[0] != f"version = {VERSION}":
        return None
    found: dict[str, list[Artifact]] = {"artifact": [], "output": [], "record": []}
    rows: list[Artifact] | None = None
    for line in lines[1:-1]:
        match = _ROW.fullmatch(line) if rows is not None else None
        if match and rows is not None and not path_problem(match[1]) and "\ufffd" not in match[1] and int(match[4]) <= MAX_SIZE:
            files = None if match[5] is None else int(match[5])
            rows.append(Artifact(match[1], int(match[2]), ObjectId(match[3]), int(match[4]), files))
        elif line == "]" and rows is not None:
            rows = None
        elif rows is None and line.endswith(" = [") and line[:-4] in found and not found[line[:-4]]:
            rows = found[line[:-4]]
        else:
            return None
    return Artifacts(*map(tuple, found.values())) if rows is None and lines[-1] == "" else None


def _entries(reader: Reader, name: str) -> Iterable[Artifact]:
    for number, row in enumerate(reader.maybe(name, list, [])):
        if not isinstance(row, dict):
            reader.fail(name, "must be an array of tables")
        yield _entry(Reader(row, reader.where, f"{name}[{number}]."))


def _entry(reader: Reader) -> Artifact:
    path, version = reader.take("path", str), reader.take("version", int)
    oid, size, files = reader.take("blake3", str), reader.take("size", int), reader.maybe("files", int, None)
    reader.end()
    if problem := path_problem(path):
        reader.fail("path", problem)
    if not is_object_id(oid):
        reader.fail("blake3", "must be 64 lower-case hexadecimal digits")
    if version < 1 or size < 0 or (files or 0) < 0:
        reader.fail("size", "must not be negative")
    return Artifact(path, version, ObjectId(oid), size, files)


def is_listing(path: str) -> bool:
    """Whether a path in a git tree is that of an artifacts.toml."""
    folder, _, name = path.rpartition("/")
    parent, _, run = folder.rpartition("/")
    return name == NAME and parent == FOLDER and is_run_id(run)
