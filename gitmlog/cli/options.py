"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from gitmlog.cli.output import App

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

pass_app = click.make_pass_decorator(App)
json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
force_option: Decorator = click.option("-f", "--force", is_flag=True, help="Give up bytes that are kept nowhere else.")
remote_option: Decorator = click.option("-r", "--remote", metavar="NAME", help="The remote to use instead of the default.")
rev_option: Decorator = click.option("--rev", metavar="REV", help="Take the metafiles of this revision.")
all_option: Decorator = click.option(
    "--all", "everything", is_flag=True, help="All revisions that can be reached, not only this one."
)
jobs_option: Decorator = click.option(
    "-j", "--jobs", type=click.IntRange(1, 256), metavar="N", help="Transfers at once (default 16)."
)


def paths_argument(*, required: bool = False) -> Decorator:
    """PATH…, relative to the folder the command was started in."""
    metavar = "PATH…" if required else "[PATH]…"
    return click.argument("paths", nargs=-1, required=required, metavar=metavar, type=click.Path(readable=False))
