"""gitmlog ci: a group; each command below it is a module of this package."""

from __future__ import annotations

import click

from gitmlog.cli.lazy import LazyGroup

SECTIONS: dict[str, dict[str, str]] = {
    "Set up": {
        "init": "Write the workflow of a code host.",
    },
    "In a pipeline": {
        "report": "Say what a branch does to models and data.",
        "comment": "Show a report as the one comment of a pull request.",
    },
}


@click.group("ci", cls=LazyGroup, package=__name__, sections=SECTIONS)
def command() -> None:
    """Let a code host say what a pull request does to models and data.

    `gitmlog ci init` writes a workflow; it calls the other two. Nothing of a
    pull request is checked out or run: `gitmlog help hosts` explains.

    \b
    Examples:
      gitmlog ci init github
      gitmlog ci report main...HEAD
    """
