"""Which names may be tracked (spec: tree.md, Names), and paths below a root without following links."""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from pathlib import PurePosixPath

METAFILE_SUFFIX = ".gitmlog"
MAX_COMPONENT = 255
MAX_PATH = 4096

_FORBIDDEN = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SHELL_SAFE = re.compile(r"[\w@%+=:,./-]+")
_PLAIN_NAME = r"[A-Za-z0-9_][A-Za-z0-9_+=,@ -]*(?:\.[A-Za-z0-9_+=,@-]+)*"
_PLAIN_PATH = re.compile(f"{_PLAIN_NAME}(?:/{_PLAIN_NAME})*")


def component_problem(name: str) -> str:
    """Why `name` may not be one component of a tracked path, or "" when it may."""
    if name in ("", ".", ".."):
        return f"{name!r} is no name"
    if "/" in name:
        return "a name holds no '/'"
    try:
        raw = name.encode("utf-8")
    except UnicodeEncodeError:
        return "the name is not UTF-8"
    if len(raw) > MAX_COMPONENT:
        return f"the name is {len(raw)} bytes long (at most {MAX_COMPONENT})"
    if found := _FORBIDDEN.search(name):
        return f"the name holds the character U+{ord(found.group()):04X}"
    return "the name is read as .git by some file systems" if _looks_like_dot_git(name) else ""


def git_name_problem(name: str) -> str:
    """Why no tree of git's may hold the entry `name`, or "": much less than what a tracked path may not."""
    if name in ("", ".", ".."):
        return f"{name!r} is no name"
    if "/" in name:
        return "a name holds no '/'"
    if name.isascii() and name[0] not in ".gG" and "\\" not in name:
        return ""
    hostile = any(_looks_like_dot_git(part) for part in name.split("\\"))
    return "the name is read as .git by some file systems" if hostile else ""


def _looks_like_dot_git(name: str) -> bool:
    visible = "".join(c for c in name if unicodedata.category(c) != "Cf")
    folded = visible.split(":")[0].rstrip(". ").casefold()
    return folded in (".git", "git~1")


def path_problem(path: str) -> str:
    """Why `path` ("/"-separated, relative) may not be tracked, or "" when it may."""
    if len(path) <= MAX_COMPONENT and _PLAIN_PATH.fullmatch(path):
        return ""
    if path.startswith("-"):
        return "the path begins with '-'"
    if len(path) > MAX_PATH or (not path.isascii() and len(path.encode("utf-8", "surrogatepass")) > MAX_PATH):
        return f"the path is longer than {MAX_PATH} bytes"
    for component in path.split("/"):
        if problem := component_problem(component):
            return problem
    return ""


def tracked_problem(path: str) -> str:
    """Why `path` may not have a metafile of its own, or "" when it may."""
    if path.endswith(METAFILE_SUFFIX):
        return "it is itself the name of a metafile"
    name = path.rpartition("/")[2]
    longest = MAX_COMPONENT - len(METAFILE_SUFFIX)
    if len(name) > longest // 4 and len(name.encode("utf-8", "surrogatepass")) > longest:
        return f"the name is longer than {longest} bytes, so that its metafile could have none"
    return path_problem(path)


def link_problem(path: str, target: str) -> str:
    """Why a link at `path` (relative to its tracked directory) may not point to `target`, or ""."""
    if target.startswith("/") or not target:
        return "the link's target is absolute or empty"
    if len(target.encode("utf-8", "surrogatepass")) > MAX_PATH:
        return "the link's target is too long"
    depth = len(PurePosixPath(path).parts) - 1
    for component in target.split("/"):
        if component in ("", "."):
            continue
        if component == "..":
            depth -= 1
        elif problem := component_problem(component):
            return problem
        else:
            depth += 1
        if depth < 0:
            return "the link points outside the directory"
    return ""


def is_utf8(text: str) -> bool:
    """Whether `text` came from UTF-8: an argument that did not has lone surrogates, which neither git nor SQLite takes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def display(path: str | os.PathLike[str]) -> str:
    """`path` for a message or a command in a hint: quoted for a shell where it needs it, escaped where it is unprintable."""
    text = os.fspath(path)
    if not text.isprintable():
        return repr(text)
    return text if _SHELL_SAFE.fullmatch(text) else shlex.quote(text)


def metafile_of(path: str) -> str:
    """The path of the metafile of `path`."""
    return path + METAFILE_SUFFIX
