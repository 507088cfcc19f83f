"""gitmlog hook: a group; each hook is a module of this package."""

from __future__ import annotations

import click

from gitmlog.cli.lazy import LazyGroup

SECTIONS: dict[str, dict[str, str]] = {
    "In a clone": {
        "pre-commit": "Stop what should not be committed.",
        "prepare-commit-msg": "Say in the message what happens to models and data.",
        "post-commit": "Bring files along after a revert or cherry-pick.",
        "post-checkout": "Bring files along after a checkout.",
        "post-merge": "Bring files along after a merge.",
        "post-rewrite": "Bring files along after a rebase.",
        "pre-push": "Send objects before git sends what names them.",
    },
    "On a server": {
        "pre-receive": "Check a push before it is taken.",
        "update": "Check one ref of a push.",
    },
}


@click.group("hook", cls=LazyGroup, package=__name__, sections=SECTIONS)
def command() -> None:
    """What git's hooks call, with git's own arguments; `gitmlog hooks install` puts them in place.

    \b
    Examples:
      gitmlog hook pre-commit
    """
