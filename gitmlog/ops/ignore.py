"""The lines in .gitignore that keep tracked bytes out of git."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from gitmlog.core.errors import RefusedError
from gitmlog.core.paths import display, metafile_of
from gitmlog.repo.workspace import Workspace

_SPECIAL = re.compile(r"([\\*?\[\]!#])")


def ignore_line(path: str) -> bytes:
    """The .gitignore line for `path`, in the .gitignore of its own folder."""
    name = _SPECIAL.sub(r"\\\1", PurePosixPath(path).name)
    if name.endswith(" "):
        name = name[:-1] + "\\ "
    return f"/{name}".encode()


def ignore_file(path: str) -> str:
    """The .gitignore beside `path`."""
    return (PurePosixPath(path).parent / ".gitignore").as_posix()


class IgnoreEdits:
    """Collects changes to .gitignore files: in the working tree, and, apart, in what is staged.

    The staged text is the index's own plus or minus our line, so that a user's edits that are not staged stay unstaged.
    """

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self._files: dict[str, bytes] = {}
        self._staged: dict[str, bytes] = {}

    def ignore(self, path: str) -> None:
        """Make git ignore `path`, unless it does."""
        name = ignore_file(path)
        if name not in self._files and self._is_ignored(path):
            return
        self._change(name, lambda text: _with(text, ignore_line(path)))

    def _is_ignored(self, path: str) -> bool:
        return self._ws.git.is_ignored(path) or ((self._ws.root / path).is_dir() and self._ws.git.is_ignored(f"{path}/"))

    def add_line(self, name: str, line: bytes) -> None:
        """Put a line into another file of this kind (.gitattributes), unless it has it."""
        self._change(name, lambda text: _with(text, line))

    def add_file(self, name: str, text: bytes) -> None:
        """Put a file there, unless it is in the working tree or in the index."""
        self._change(name, lambda now: now or text)

    def unignore(self, path: str) -> None:
        """Take our line for `path` out."""
        self._change(ignore_file(path), lambda text: _without(text, ignore_line(path)))

    def _change(self, name: str, edit: Callable[[bytes], bytes]) -> None:
        file = self._ws.root / name
        if file.is_symlink():
            raise RefusedError(f"{name} is a symbolic link", kind="link-in-path", hint="make it a plain file")
        if name not in self._files:
            self._staged[name] = self._ws.git.index_blob(name) or b""
            kept = self._staged[name] if self._ws.git.is_left_out(name) else b""
            self._files[name] = file.read_bytes() if file.exists() else kept
        self._files[name] = edit(self._files[name])
        self._staged[name] = edit(self._staged[name])

    def write(self) -> dict[str, bytes | None]:
        """Write the files; returns what is to be staged."""
        changes: dict[str, bytes | None] = {}
        for name, text in self._files.items():
            file = self._ws.root / name
            if text and (not file.exists() or file.read_bytes() != text):
                self._ws.write(name, text)
            elif not text:
                file.unlink(missing_ok=True)
            before = self._ws.git.index_blob(name)
            if self._staged[name] != (before or b""):
                changes[name] = self._staged[name] or None
        return changes


def _with(text: bytes, line: bytes) -> bytes:
    if line in text.splitlines():
        return text
    return text + (b"\n" if text and not text.endswith(b"\n") else b"") + line + b"\n"


def _without(text: bytes, line: bytes) -> bytes:
    return b"".join(kept for kept in text.splitlines(keepends=True) if kept.rstrip(b"\r\n") != line)


def check_metafile_visible(ws: Workspace, path: str) -> None:
    """Refuse when git would not see the metafile. Raises RefusedError, kind `metafile-ignored`."""
    name = metafile_of(path)
    if ws.git.is_ignored(name):
        hint = f"add the line !*.gitmlog to .gitignore, or see which rule it is: git check-ignore -v {display(name)}"
        raise RefusedError(f"git ignores the metafile {display(name)}", kind="metafile-ignored", hint=hint)
