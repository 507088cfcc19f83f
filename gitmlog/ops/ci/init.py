"""`ci init`: the workflow of a code host, written into the working tree; committing it is the user's."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from gitmlog.core.atomic import READ_FLAGS, storage_errors
from gitmlog.core.errors import RefusedError
from gitmlog.core.paths import display
from gitmlog.repo.workspace import Workspace

HostName = Literal["github", "gitlab"]
HOSTS: tuple[HostName, ...] = ("github", "gitlab")
WORKFLOWS: dict[HostName, str] = {"github": ".github/workflows/gitmlog.yml", "gitlab": ".gitlab/gitmlog.yml"}
GITLAB_MAIN = ".gitlab-ci.yml"
INCLUDE = "include:\n  - local: .gitlab/gitmlog.yml\n"

_MAX_FILE = 1 << 20


@dataclass(frozen=True)
class Initialised:
    """What was done.

    Attributes:
        written: files that are new or were replaced.
        unchanged: files that were as they should be.
        to_add: lines for the file .gitlab-ci.yml, which is there already and does not include the other; or "".
    """

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    to_add: str = ""


def init(ws: Workspace, host: HostName, version: str, *, force: bool = False) -> Initialised:
    """Write the workflow, which installs this version of gitmlog. Nothing is staged.

    Raises:
        RefusedError: kinds `would-overwrite`, `link-in-path`; nothing was written.
        StorageError.
    """
    wanted = {WORKFLOWS[host]: template(host, version)}
    main = _read(ws, GITLAB_MAIN) if host == "gitlab" else b""
    if main is None:
        wanted[GITLAB_MAIN] = INCLUDE.encode()
    there = {path: _read(ws, path) for path in wanted}
    for path, data in wanted.items():
        if there[path] not in (None, data) and not force:
            hint = f"look at yours; to replace it: gitmlog ci init {host} --force"
            raise RefusedError(f"{display(path)} is there, and is another one", kind="would-overwrite", hint=hint)
    written = tuple(path for path, data in wanted.items() if there[path] != data)
    with storage_errors("writing the workflow"), ws.changing():
        for path in written:
            ws.write(path, wanted[path])
    return Initialised(written, tuple(wanted.keys() - set(written)), INCLUDE if main and not _includes(main) else "")


def template(host: HostName, version: str) -> bytes:
    """The text of a host's workflow; it installs this version of gitmlog."""
    text = (files("gitmlog") / "ci_templates" / f"{host}.yml").read_text("utf-8")
    return text.replace("@VERSION@", version).encode()


def _includes(text: bytes) -> bool:
    """Whether a line, which is no comment, names the file."""
    return re.search(rb"^[^#\n]*\.gitlab/gitmlog\.yml", text, re.MULTILINE) is not None


def _read(ws: Workspace, path: str) -> bytes | None:
    """What is there, or None. Raises RefusedError, kind `link-in-path`: a link may lead anywhere."""
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        if os.path.islink(ws.root / "/".join(parts[:depth])):
            hint = "remove the link, or write the file by hand"
            raise RefusedError(f"{display(path)} leads through a symbolic link", kind="link-in-path", hint=hint)
    try:
        fd = os.open(ws.root / path, READ_FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with open(fd, "rb") as stream:
        return stream.read(_MAX_FILE)
