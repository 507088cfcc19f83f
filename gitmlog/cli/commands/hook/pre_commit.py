"""gitmlog hook pre-commit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitmlog.cli.options import pass_app
from gitmlog.cli.output import App, echo
from gitmlog.core.errors import RefusedError
from gitmlog.core.paths import METAFILE_SUFFIX, display
from gitmlog.core.shown import harmless
from gitmlog.core.sizes import plural

if TYPE_CHECKING:
    from gitmlog.ops.hooks.stop import Verdict

_MOST = 20


@click.command("pre-commit")
@click.argument("files", nargs=-1, metavar="")
@pass_app
def command(app: App, files: tuple[str, ...]) -> None:  # noqa: ARG001 - pre-commit can be told to name files
    """Look at what is about to be committed, and stop what should not be.

    Stopped are: a large binary file that git itself would keep; a metafile that is not what its file is, or whose bytes are not
    safe; a file that .gitmlog/unwanted has a pattern for; a value in a record that looks like a secret. Nothing is changed, but
    that a file whose metafile was renamed by `git mv` is renamed too.

    \b
    Examples:
      gitmlog hook pre-commit
    """
    from gitmlog.git.staged import staged_changes
    from gitmlog.ops.hooks.stop import look_at_staged

    index, ws = committed_index(), app.workspace
    changes = staged_changes(ws.git, index)
    if any(change.is_gone and change.path.endswith(METAFILE_SUFFIX) for change in changes) and _rename(app, index):
        changes = staged_changes(ws.git, index)
    verdict = look_at_staged(ws, changes, progress=app.progress)
    for note in verdict.notes:
        app.note(note)
    if verdict.stops:
        _show(verdict)
        count = plural(len(verdict.stops), "problem")
        hint = "mend them and commit again; to commit all the same: git commit --no-verify"
        raise RefusedError(f"the commit was stopped: {count}", kind="commit-stopped", hint=hint)


def committed_index() -> Path | None:
    """The index that git commits, where it told its hook which."""
    name = os.environ.get("GIT_INDEX_FILE")
    return Path(os.path.abspath(name)) if name else None


def _rename(app: App, index: Path | None) -> bool:
    """Only in the index of the working tree: one that git made for this commit alone is not written."""
    from gitmlog.ops.renamed import finish_renames, renamed, unfinished

    ws = app.workspace
    if index is None or index.resolve() == (ws.git.gitdir / "index").resolve():
        done = finish_renames(ws)
        for new, old in done.items():
            app.note(f"{display(old)} was renamed to {display(new)}, as its metafile was")
        return bool(done)
    if pairs := unfinished(ws, renamed(ws, index)):
        new, old = next(iter(pairs.items()))
        message = f"the metafile of {display(old)} was renamed to {display(new)}, and the file not yet"
        raise RefusedError(message, kind="commit-stopped", hint="gitmlog checkout, then commit again")
    return False


def _show(verdict: Verdict) -> None:
    for stop in verdict.stops[:_MOST]:
        echo(f"{harmless(display(stop.path))}: {harmless(stop.problem)}", err=True)
        echo(f"    {harmless(stop.remedy)}", err=True)
    if len(verdict.stops) > _MOST:
        echo(f"and {len(verdict.stops) - _MOST} more", err=True)
