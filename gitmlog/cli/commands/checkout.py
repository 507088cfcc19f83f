"""gitmlog checkout."""

from __future__ import annotations

import click

from gitmlog.cli.options import force_option, json_option, pass_app, paths_argument
from gitmlog.cli.output import App, echo_json, plural
from gitmlog.core.errors import UsageError
from gitmlog.core.paths import display


@click.command("checkout")
@paths_argument()
@click.option("--rev", metavar="REV", help="Take PATH as it was in this revision, and stage its metafile.")
@click.option("--ours", "side", flag_value="ours", help="Resolve a merge: take the version of the branch you are on.")
@click.option("--theirs", "side", flag_value="theirs", help="Resolve a merge: take the version that is being merged.")
@force_option
@json_option
@pass_app
def command(app: App, paths: tuple[str, ...], rev: str | None, side: str | None, force: bool, as_json: bool) -> None:
    """Write tracked files into the working tree, as their metafiles say.

    Bytes that are kept nowhere else are never overwritten: the command says what would be lost and stops. Files in a tracked
    directory that the version does not have are removed when the cache has them, and else left alone and named. A file
    whose metafile was renamed by `git mv` is renamed too.

    \b
    Examples:
      git checkout main && gitmlog checkout
      gitmlog checkout data/train              a part of a directory
      gitmlog checkout 'data/img_00*'
      gitmlog checkout --rev HEAD~1 model.pt   roll one model back, then git commit
      gitmlog checkout --theirs model.pt       after a merge conflict (in a rebase the sides are swapped, as in git)
    """
    from gitmlog.ops.checkout import checkout

    if rev is not None and side is not None:
        raise UsageError("--rev does not go together with --ours or --theirs")
    if rev is None and side is None:
        _finish_renames(app)
    done = checkout(
        app.workspace,
        paths,
        app.base,
        revision=rev,
        side=side,  # type: ignore[arg-type]
        force=force,
        progress=app.progress,
    )
    if as_json:
        echo_json(done)
        return
    if side is not None:
        for item in done:
            app.say(f"{display(item.path)}  {side} taken, the conflict is resolved")
    show(app, done, quiet=side is not None)


def _finish_renames(app: App) -> None:
    from gitmlog.ops.renamed import finish_renames

    for new, old in finish_renames(app.workspace).items():
        app.note(f"{display(old)} was renamed to {display(new)}, as its metafile was")


def show(app: App, done: list, *, quiet: bool = False) -> None:  # type: ignore[type-arg]
    """Print what a checkout did; `quiet`: nothing when it did nothing."""
    for item in done:
        parts = [
            plural(item.written, "file") + " written" if item.written else "",
            plural(item.removed, "file") + " removed" if item.removed else "",
        ]
        if any(parts):
            app.say(f"{display(item.path)}  {', '.join(filter(None, parts))}")
        for name in item.kept[:5]:
            app.note(f"kept {display(f'{item.path}/{name}')}: this version does not have it, and the cache does not either")
        if len(item.kept) > 5:
            app.note(f"kept {len(item.kept) - 5} more in {display(item.path)}")
    if not quiet and not any(item.written or item.removed for item in done):
        app.say("nothing to do: the working tree is as the metafiles say" if done else "nothing is tracked yet")
