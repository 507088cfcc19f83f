"""The canonical text of a metafile, and its strict reader (spec: metafile.md)."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from gitmlog.core.digest import ObjectId, is_object_id
from gitmlog.core.errors import DataError
from gitmlog.core.paths import METAFILE_SUFFIX, component_problem, display
from gitmlog.core.toml import TomlError, parse_toml, shorten
from gitmlog.metafile.schema import (
    MAX_BYTES,
    MAX_DESC,
    MAX_SIZE,
    TYPES,
    VERSION,
    DirectoryFacts,
    FileFacts,
    Metafile,
)

_TOP_KEYS = {"version", "type", "desc", "file", "directory"}
_FILE_KEYS = {"path", "blake3", "size", "executable"}
_DIRECTORY_KEYS = {"path", "blake3", "size", "files"}
_DESC_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def format_metafile(metafile: Metafile) -> bytes:
    """The one text of these facts."""
    lines = [f"version = {VERSION}"]
    if metafile.type:
        lines.append(f"type = {_quote(metafile.type)}")
    if metafile.desc:
        lines.append(f"desc = {_quote(metafile.desc)}")
    facts = metafile.facts
    lines += ["", "[directory]" if isinstance(facts, DirectoryFacts) else "[file]"]
    lines += [f"path = {_quote(facts.path)}", f'blake3 = "{facts.blake3}"', f"size = {facts.size}"]
    if isinstance(facts, DirectoryFacts):
        lines.append(f"files = {facts.files}")
    elif facts.executable:
        lines.append("executable = true")
    return ("\n".join(lines) + "\n").encode()


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def desc_problem(desc: str) -> str:
    """Why `desc` may not be a description, or ""."""
    if len(desc) > MAX_DESC:
        return f"it is {len(desc)} characters long (at most {MAX_DESC})"
    if found := _DESC_FORBIDDEN.search(desc):
        return f"it holds the character U+{ord(found.group()):04X}"
    try:
        desc.encode()
    except UnicodeEncodeError:
        return "it is not UTF-8"
    return ""


def parse_metafile(data: bytes, where: str) -> Metafile:
    """The facts in `data`; `where` names the file in errors.

    Raises:
        DataError: kinds `bad-metafile` and `newer-version`, with file, line and key.
    """
    return _Reader(data, where).read()


class _Reader:
    def __init__(self, data: bytes, where: str) -> None:
        self.where = where
        self.text = self._decode(data)

    def fail(self, key: str, problem: str, line: int = 0) -> NoReturn:
        line = _line_of(self.text, key) if key else line
        place = f"{self.where}:{line}" if line else self.where
        subject = f"{shorten(key)}: " if key else ""
        raise DataError(
            f"{place}: {subject}{problem}",
            kind="bad-metafile",
            hint=f"take it back from git (`git checkout HEAD -- {self.where}`), or run `gitmlog add` on the file again",
        )

    def _decode(self, data: bytes) -> str:
        self.text = ""
        if len(data) > MAX_BYTES:
            self.fail("", f"a metafile of {len(data)} bytes (at most {MAX_BYTES})")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            self.fail("", f"not UTF-8 at byte {error.start}")

    def read(self) -> Metafile:
        table = self._table()
        self._check_version(table)
        self._check_keys(table, _TOP_KEYS, "")
        if ("file" in table) == ("directory" in table):
            self.fail("", "exactly one of the tables [file] and [directory] is needed")
        kind = table.get("type")
        if kind is not None and kind not in TYPES:
            self.fail("type", f"must be one of {', '.join(TYPES)}")
        return Metafile(self._facts(table), kind, self._desc(table))

    def _table(self) -> dict[str, Any]:
        if "\n<<<<<<<" in f"\n{self.text}":
            raise DataError(
                f"{self.where} is in a merge conflict",
                kind="bad-metafile",
                hint=f"take a side: gitmlog checkout --ours {self._tracked()}, or --theirs; or gitmlog add the right file",
            )
        try:
            return parse_toml(self.text)
        except TomlError as error:
            self.fail("", str(error), error.line)

    def _tracked(self) -> str:
        return display(self.where.rpartition(":")[2].removesuffix(METAFILE_SUFFIX))

    def _check_version(self, table: dict[str, Any]) -> None:
        version = table.get("version")
        if type(version) is not int or not 1 <= version <= MAX_SIZE:
            self.fail("version", "the first line must be `version = 1`")
        if version > VERSION:
            raise DataError(
                f"{self.where} is of version {version}; this gitmlog reads up to {VERSION}",
                kind="newer-version",
                hint="upgrade gitmlog: `python -m pip install --upgrade gitmlog`",
            )

    def _check_keys(self, table: dict[str, Any], known: set[str], prefix: str) -> None:
        for key in table:
            if key not in known:
                self.fail(key, f"unknown key in {prefix or 'the metafile'}")

    def _desc(self, table: dict[str, Any]) -> str:
        desc = table.get("desc", "")
        if not isinstance(desc, str):
            self.fail("desc", "must be a string")
        if problem := desc_problem(desc):
            self.fail("desc", problem)
        return desc

    def _facts(self, table: dict[str, Any]) -> FileFacts | DirectoryFacts:
        name = "file" if "file" in table else "directory"
        facts = table[name]
        if not isinstance(facts, dict):
            self.fail(name, "must be a table")
        self._check_keys(facts, _FILE_KEYS if name == "file" else _DIRECTORY_KEYS, f"[{name}]")
        path, oid, size = self._path(facts), self._oid(facts), self._count(facts, "size")
        if name == "directory":
            return DirectoryFacts(path, oid, size, self._count(facts, "files"))
        executable = facts.get("executable", False)
        if not isinstance(executable, bool):
            self.fail("executable", "must be true or false")
        return FileFacts(path, oid, size, executable)

    def _path(self, facts: dict[str, Any]) -> str:
        path = facts.get("path")
        if not isinstance(path, str):
            self.fail("path", "must be a string")
        problem = "the path begins with '-'" if path.startswith("-") else component_problem(path)
        if problem:
            self.fail("path", problem)
        return path

    def _oid(self, facts: dict[str, Any]) -> ObjectId:
        oid = facts.get("blake3")
        if not is_object_id(oid):
            self.fail("blake3", "must be 64 lower-case hexadecimal digits")
        return ObjectId(str(oid))

    def _count(self, facts: dict[str, Any], key: str) -> int:
        value = facts.get(key)
        if type(value) is not int or not 0 <= value <= MAX_SIZE:
            self.fail(key, "must be an integer from 0 to 2^63-1")
        return value


def _line_of(text: str, key: str) -> int:
    pattern = re.compile(rf'\s*\[*\s*"?{re.escape(key)}')
    return next((n for n, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 0)
