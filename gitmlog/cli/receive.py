"""What the hooks of a server share: the environment that git gives them, and how a refusal is told."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gitmlog.cli.output import App, echo
from gitmlog.core.errors import GitError, RefusedError, UsageError
from gitmlog.core.shown import harmless

if TYPE_CHECKING:
    from gitmlog.git.bare import Quarantine
    from gitmlog.ops.server.push import Problems

_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")


def new_object(text: str) -> str | None:
    """The object that a ref shall name; None when it shall go. Raises UsageError."""
    if not _ID.fullmatch(text):
        raise UsageError(f"{text[:80]!r} is no object id", hint="git's own hooks give them; nobody else need call this")
    return text if text.strip("0") else None


def check_push(app: App, asked: Iterable[tuple[str, str | None]]) -> None:
    """Check a push. Raises RefusedError, when anything is wrong with it; the other problems are printed before."""
    from gitmlog.ops.server.receive import receive
    from gitmlog.repo.server import Server

    if os.environ.get("GIT_NAMESPACE"):
        hint = "give each project a repository of its own"
        raise GitError("git's namespaces (GIT_NAMESPACE) are not known here", kind="unsupported-repository", hint=hint)
    place = app.base / os.environ.get("GIT_DIR", ".")
    _tell(receive(Server.open(place, app.user_config, _quarantine(app.base)), asked))


def _quarantine(base: Path) -> Quarantine:
    """git names the folders relative to the one that it starts the hook in, or absolute."""
    from gitmlog.git.bare import Quarantine

    variables = {name: os.environ[name] for name in _QUARANTINE if name in os.environ}
    folder = variables.get("GIT_OBJECT_DIRECTORY")
    return Quarantine((base / folder,) if folder else (), variables)


def _tell(problems: Problems) -> None:
    if not problems.found:
        return
    *others, last = problems.found
    for number, each in enumerate(others):
        echo(f"error: {harmless(each.message)}", err=True)
        if each.hint and each.hint != problems.found[number + 1].hint:
            echo(f"hint: {harmless(each.hint)}", err=True)
    if problems.more:
        echo(f"error: {problems.more:,} more problems, which are not shown", err=True)
    raise RefusedError(last.message, hint=last.hint, kind=last.kind)
