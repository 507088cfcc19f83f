"""gitmlog status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitmlog.cli.options import json_option, pass_app, paths_argument
from gitmlog.cli.output import App, echo, echo_json, human_size, plural
from gitmlog.core.paths import display

if TYPE_CHECKING:
    from gitmlog.ops.status import PathStatus, Status

_WORDS = {
    "modified": "changed since it was added: gitmlog add",
    "behind": "the metafile is another version by now, the file did not change: gitmlog checkout (or pull)",
    "partial": "only a part of it is here: gitmlog pull",
    "missing": "not in the working tree: gitmlog checkout",
    "not-cached": "not in the cache: gitmlog pull",
    "not-pushed": "not known to be on the remote: gitmlog push",
    "stale": "metafile out of date: gitmlog add",
    "unstaged": "metafile not staged: gitmlog add",
    "left-out": "not in this sparse checkout: git sparse-checkout add",
}


@click.command("status")
@paths_argument()
@click.option("--rehash", is_flag=True, help="Read every byte again, whatever the times say.")
@click.option("--exit-code", is_flag=True, help="Exit with 4 when anything but a push is left to do.")
@json_option
@pass_app
def command(app: App, paths: tuple[str, ...], rehash: bool, exit_code: bool, as_json: bool) -> int:
    """Show what differs between metafiles, working tree, cache and remote. The network is not used.

    \b
    modified     the file is not what its metafile says
    behind       the metafile moved (git switch, pull, merge), the file did not: checkout brings it along
    partial      a part of the directory was never fetched here
    missing      the file is not in the working tree
    not-cached   its bytes (of a directory: its tree; gitmlog verify looks at every file) are not in the cache
    not-pushed   no push from here, and no fetch, has seen its bytes on the remote
    stale        the metafile's own text is out of date (after git mv, or a merge by hand)
    unstaged     git's index has another metafile, or none
    left-out     a sparse checkout leaves it out of this working tree: nothing is missing
    bad          the metafile cannot be read

    Large files that git neither has nor ignores are named too (config: status.large).

    \b
    Examples:
      gitmlog status
      gitmlog status data/ --json
      gitmlog status --exit-code && echo all is saved
    """
    from gitmlog.ops.status import status

    found = status(app.workspace, paths, app.base, rehash=rehash, progress=app.progress)
    if as_json:
        echo_json({"paths": found.paths, "large": found.large, "remote": found.remote, "clean": found.is_clean})
    else:
        _show(found, asked=bool(paths))
    return 4 if exit_code and not found.is_clean else 0


def _show(found: Status, *, asked: bool) -> None:
    left_out = [] if asked else [item for item in found.paths if item.conditions == ("left-out",)]
    troubled = [item for item in found.paths if item.conditions and (asked or item.conditions != ("left-out",))]
    for item in troubled:
        for line in _lines(item):
            echo(line)
    for path, size in sorted(found.large.items()):
        echo(f"{display(path)}  large ({human_size(size)}), and git does not know it: gitmlog add {display(path)}")
    fine = len(found.paths) - len(troubled) - len(left_out)
    if not found.paths:
        echo("nothing is tracked yet: gitmlog add FILE")
    elif fine:
        echo(f"{plural(fine, 'path')} as tracked" if not troubled else f"{plural(fine, 'other path')} without a difference")
    if left_out:
        echo(f"{plural(len(left_out), 'path')} not in this sparse checkout")


def _lines(item: PathStatus) -> list[str]:
    lines = []
    conditions = list(item.conditions)
    if {"missing", "not-cached"} <= set(conditions):  # a fresh clone: one thing to do, one line
        conditions = [word for word in conditions if word != "missing"]
    for condition in conditions:
        detail = f" ({item.detail})" if item.detail and condition == "stale" else ""
        meaning = item.detail if condition == "bad" else _WORDS[condition]
        lines.append(f"{display(item.path)}  {condition}{detail}: {meaning}")
    for sign, names in (("+", item.added), ("-", item.removed), ("~", item.changed)):
        named = [name for name in names if name]
        lines += [f"    {sign} {display(name)}" for name in named[:10]]
        if len(named) > 10:
            lines.append(f"    {sign} … and {len(named) - 10:,} more")
    return lines
