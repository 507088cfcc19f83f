"""gitmlog runs artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from gitmlog.cli.columns import grid
from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo, echo_json, human_size, plural
from gitmlog.core.paths import display

if TYPE_CHECKING:
    from gitmlog.runs.artifacts import Artifact

_TITLES = {"artifact": "artifacts", "output": "outputs", "record": "records"}


@click.command("artifacts")
@click.argument("run", metavar="RUN")
@click.argument("paths", nargs=-1, metavar="[PATH]…")
@click.option("-o", "--out", metavar="DIR", type=click.Path(file_okay=False), help="Write them below this folder.")
@click.option("-f", "--force", is_flag=True, help="Replace files that are there.")
@json_option
@pass_app
def command(app: App, run: str, paths: tuple[str, ...], out: str | None, force: bool, as_json: bool) -> None:
    """List the files that a run logged, or write them with -o; fetched when they are not in the cache.

    PATH may be an artifact, a folder of artifacts, an output or a record (metrics.csv, log.txt); PATH@2 is its second version.
    Without a PATH, -o writes the last version of every artifact.

    \b
    Examples:
      gitmlog runs artifacts last
      gitmlog runs artifacts last -o results
      gitmlog runs artifacts swift-otter plots metrics.csv -o results
    """
    from gitmlog.ops.runs.contents import download, listing, select
    from gitmlog.ops.runs.find import find

    found = find(app.workspace, run)
    if out is None:
        listed = listing(app.workspace, found)
        wanted = {each.artifact for each in select(app.workspace, found, paths)} if paths else set(listed.all)
        _show({title: [each for each in getattr(listed, title) if each in wanted] for title in _TITLES}, as_json)
        return
    written = download(app.workspace, found, paths or None, app.base / out, force=force, progress=app.progress)
    if as_json:
        echo_json({"written": written})
        return
    for path in written:
        app.say(display(path.relative_to(app.base) if path.is_relative_to(app.base) else path))
    if not written:
        app.say("there is no artifact")


def _show(listed: Mapping[str, Sequence[Artifact]], as_json: bool) -> None:
    if as_json:
        echo_json(listed)
        return
    shown = {title: artifacts for title, artifacts in listed.items() if artifacts}
    rows = [row for title, artifacts in shown.items() for row in [(_TITLES[title],), *map(_row, artifacts)]]
    for line in grid(rows, right=(2,), indent=0):
        echo(line)
    if not rows:
        echo("there is no artifact")


def _row(artifact: Artifact) -> tuple[str, ...]:
    files = "" if artifact.files is None else plural(artifact.files, "file")
    return f"  {display(artifact.path)}", f"@{artifact.version}", human_size(artifact.size), artifact.blake3[:12], files
