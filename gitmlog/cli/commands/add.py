"""gitmlog add."""

from __future__ import annotations

import click

from gitmlog.cli.hints import note_hooks
from gitmlog.cli.options import json_option, pass_app, paths_argument
from gitmlog.cli.output import App, echo_json, human_size, plural


@click.command("add")
@paths_argument(required=True)
@click.option("--rehash", is_flag=True, help="Read every byte again, whatever the times say.")
@click.option(
    "--link",
    type=click.Choice(["reflink", "hardlink", "symlink"]),
    help="Link instead of copying: the bytes lie on the disk once (hardlink, symlink: nothing is copied, files are read-only).",
)
@click.option("--desc", metavar="TEXT", help="A description that the metafile keeps.")
@click.option("--type", "kind", type=click.Choice(["model", "dataset", "artifact"]), help="What it is for.")
@click.option("-f", "--force", is_flag=True, help="Make an older version the new one; take what is not here out of a directory.")
@json_option
@pass_app
def command(
    app: App,
    paths: tuple[str, ...],
    rehash: bool,
    link: str | None,
    desc: str | None,
    kind: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Track files and directories.

    The bytes are copied into the cache and are durable there; a metafile is written beside each path; the path is put into
    .gitignore; metafile and .gitignore are staged. Adding again after a change makes a new version; nothing is ever overwritten.

    A path below a tracked directory updates that part of it alone. Patterns in quotes are expanded here.

    \b
    Examples:
      gitmlog add model.safetensors
      gitmlog add --type dataset --desc "crops, 224 px" data/
      gitmlog add data/train/new.png        that file, into the tracked data/
      gitmlog add 'runs/*.pt' && git commit -m "checkpoints"
    """
    from gitmlog.ops.add import AddOptions, add

    options = AddOptions(rehash, link, desc, kind, force)  # type: ignore[arg-type]
    result = add(app.workspace, paths, app.base, options, progress=app.progress)
    for note in result.notes:
        app.note(note)
    if as_json:
        echo_json(result)
        return
    for item in result.added:
        what = f"{plural(item.files, 'file')}, {human_size(item.size)}"
        app.say(f"{'added' if item.changed else 'unchanged'}  {item.path}  ({what}, {item.oid[:12]})")
    if any(item.changed for item in result.added):
        app.say("staged: git commit keeps this version")
        note_hooks(app)
