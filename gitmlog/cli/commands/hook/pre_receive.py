"""gitmlog hook pre-receive."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App
from gitmlog.cli.receive import check_push, new_object
from gitmlog.core.errors import UsageError

_LONGEST = 1 << 16


@click.command("pre-receive")
@pass_app
def command(app: App) -> None:
    """Check a push before it is taken: git's hook of this name.

    Reads lines `OLD NEW REF` as git gives them, in the repository that is pushed to. Refuses all of the push, with 6, when
    objects of metafiles are not on the remote, when tags of runs, versions or stages break their rules, when a protected branch
    or stage is touched, and when paths are hostile (gitmlog help policy).

    \b
    Examples:
      gitmlog hook pre-receive < updates
    """
    check_push(app, _updates())


def _updates() -> Iterator[tuple[str, str | None]]:
    while line := sys.stdin.buffer.readline(_LONGEST):
        parts = line.decode("utf-8", "surrogateescape").removesuffix("\n").split(" ", 2)
        if len(parts) != 3:
            raise UsageError("a line is not `OLD NEW REF`", hint="git's hook pre-receive gives them; nobody else need call this")
        yield parts[2], new_object(parts[1])
