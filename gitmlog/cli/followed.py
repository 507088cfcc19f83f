"""What post-checkout, post-merge and post-rewrite have in common."""

from __future__ import annotations

import os

from gitmlog.cli.output import App, echo, plural
from gitmlog.core.errors import GitmlogError, NotFoundError
from gitmlog.core.paths import display
from gitmlog.core.shown import harmless

_MOST = 10


def old_commit(given: str | None) -> str | None:
    """The commit before, as git or pre-commit says; None where there was none, as in a new clone."""
    commit = given or os.environ.get("PRE_COMMIT_FROM_REF", "")
    return commit if commit.strip("0") else None


def bring_along(app: App, before: str | None) -> None:
    """Bring files along and say what was done. git has done its own work: what could not follow is named, and is no failure."""
    from gitmlog.ops.follow import follow

    ws = app.workspace
    how = ws.config.get("hooks.checkout")
    if how == "off":
        return
    try:
        done = follow(ws, _known(app, before), network=how == "fetch", progress=app.progress)
    except GitmlogError as error:
        _say(f"the files did not follow: {error.message}", error.hint)
        return
    for path, old in done.moved.items():
        _say(f"{display(old)} was renamed to {display(path)}")
    for item in done.done[:_MOST]:
        counts = [(item.written, "written"), (item.removed, "removed")]
        parts = [f"{plural(count, 'file')} {verb}" for count, verb in counts if count]
        kept = [f"{plural(len(item.kept), 'file')} kept, which the cache does not have"] if item.kept else []
        _say(f"{display(item.path)}: {', '.join([*parts, *kept])}")
    if len(done.done) > _MOST:
        _say(f"and {len(done.done) - _MOST:,} more")
    for problem in done.problems[:_MOST]:
        _say(problem.message, problem.hint)
    if len(done.problems) > _MOST:
        _say(f"and {len(done.problems) - _MOST:,} more that did not follow: gitmlog status")


def _known(app: App, before: str | None) -> str | None:
    try:
        return str(app.workspace.git.resolve(before).id) if before else None
    except NotFoundError:
        return None


def _say(text: str, hint: str = "") -> None:
    echo(f"gitmlog: {harmless(text)}" + (f" ({harmless(hint)})" if hint else ""), err=True)
