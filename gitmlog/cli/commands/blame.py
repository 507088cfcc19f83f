"""gitmlog blame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gitmlog.cli.columns import grid, plain
from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo, echo_json
from gitmlog.core.paths import display

if TYPE_CHECKING:
    from gitmlog.ops.blame import Blamed

_ID = 10


@click.command("blame")
@click.argument("path", type=click.Path(readable=False))
@click.argument("revision", metavar="[REV]", default="HEAD")
@click.option("--files", is_flag=True, help="Also one line for each file of a directory.")
@json_option
@pass_app
def command(app: App, path: str, revision: str, files: bool, as_json: bool) -> None:
    """Show which commit and which run last changed the bytes of PATH: a tracked file or directory, or a path in one.

    Renames (git mv, gitmlog mv) are followed; a metafile that changed in other words only does not count. The run is the one
    whose commit it is (also behind an accepted merge), or the first one that has those bytes among its outputs. ^ before a
    commit says that history could be followed no further, and a note says why.

    Only git's history is read, and of directories the trees in the cache: nothing is fetched, the working tree does not count.

    \b
    Examples:
      gitmlog blame model.pt
      gitmlog blame data --files
      gitmlog blame data/train/labels.csv v1.2
      gitmlog blame model.pt --json
    """
    from gitmlog.ops.blame import blame, notes

    found = blame(app.workspace, path, app.base, revision, files=files, progress=app.progress)
    said = notes(found)
    if as_json:
        echo_json({"revision": found.revision, **_document(found.whole), "files": [*map(_document, found.files)], "notes": said})
        return
    for line in _lines([found.whole, *found.files]):
        echo(line)
    for note in said:
        app.note(note)


def _document(each: Blamed) -> dict[str, Any]:
    who = each.commit
    signed = {"id": who.id, "date": who.date.isoformat(), "author": who.author, "email": who.email, "subject": who.subject}
    run = {"id": each.run.record.id, "name": each.run.record.name} if each.run is not None else None
    return {"path": each.path, "commit": signed, "run": run, "old_path": each.old_path or None, "end": each.end}


def _lines(found: list[Blamed]) -> list[str]:
    rows = [
        [
            ("^" if each.end else "") + each.commit.id[:_ID],
            f"{each.commit.date:%Y-%m-%d %H:%M}",
            plain(each.commit.author),
            each.run.record.id if each.run is not None else "-",
            display(each.path) + (f" (was {display(each.old_path)})" if each.old_path else ""),
        ]
        for each in found
    ]
    return grid(rows, indent=0, width=1 << 20)
