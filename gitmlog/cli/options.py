"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from gitmlog.cli.output import App

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

pass_app = click.make_pass_decorator(App)
json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
force_option: Decorator = click.option("-f", "--force", is_flag=True, help="Give up bytes that are kept nowhere else.")
remote_option: Decorator = click.option("-r", "--remote", metavar="NAME", help="The remote to use instead of the default.")
rev_option: Decorator = click.option("--rev", metavar="REV", help="Take the metafiles of this revision, or of this run.")
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


@dataclass(frozen=True)
class RunWords:
    """What was said of runs to push, fetch or pull."""

    all: bool
    where: str | None
    runs: tuple[str, ...]
    git_remote: str | None


_RUNS_OPTIONS: tuple[Decorator, ...] = (
    click.option("--runs", "all_runs", is_flag=True, help="Runs (commits, tags, objects) instead of tracked paths."),
    click.option("--where", metavar="EXPR", help="Only runs that fulfil this, as for `gitmlog runs list`."),
    click.option("--run", "runs", multiple=True, metavar="RUN", help="Only this run; can be repeated."),
    click.option("--git-remote", metavar="NAME", help="The git remote of the tags, instead of the branch's."),
)


def runs_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that make push, fetch or pull one about runs: the command gets them as `words`."""

    @wraps(command)
    def bundled(
        *arguments: Any, all_runs: bool, where: str | None, runs: tuple[str, ...], git_remote: str | None, **others: Any
    ) -> Any:
        return command(*arguments, words=RunWords(all_runs, where, runs, git_remote), **others)

    made: Callable[..., Any] = bundled
    for option in reversed(_RUNS_OPTIONS):
        made = option(made)
    return made
