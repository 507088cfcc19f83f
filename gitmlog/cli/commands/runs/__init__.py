"""gitmlog runs: a group; each command below it is a module of this package."""

from __future__ import annotations

import click

from gitmlog.cli.lazy import LazyGroup

SECTIONS: dict[str, dict[str, str]] = {
    "Look": {
        "list": "List, filter and sort runs.",
        "show": "Show everything about one run.",
        "compare": "Show what differs between runs.",
        "diff": "Show how the code of two runs differs.",
        "plot": "Draw a metric of one or several runs.",
        "log": "Print what a run printed.",
        "artifacts": "List or write the files that a run logged.",
        "export": "Write runs as JSON, CSV or folders.",
    },
    "Keep": {
        "recover": "Record runs whose process was killed.",
        "accept": "Bring a run into the current branch.",
        "archive": "Take runs out of the list of git's tags, and back.",
        "rm": "Remove runs.",
    },
}


@click.group("runs", cls=LazyGroup, package=__name__, sections=SECTIONS, aliases={"ls": "list", "remove": "rm"})
def command() -> None:
    """List, compare, plot and keep runs.

    A run is one commit and one tag, run/ID (gitmlog help run). It is named by its id, a unique prefix of it, its name, the words
    of its id, `last`, `last~2` (the one before the one before), or `best:metrics.acc`.

    \b
    Examples:
      gitmlog runs list --where 'metrics.acc > 0.9'
      gitmlog runs compare last~1 last
    """
