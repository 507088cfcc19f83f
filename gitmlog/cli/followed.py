"""What post-checkout, post-merge and post-rewrite have in common."""

from __future__ import annotations

from collections.abc import Sequence

from gitmlog.cli.output import App, echo, plural
from gitmlog.core.errors import GitmlogError, NotFoundError
from gitmlog.core.paths import display
from gitmlog.core.shown import harmless

_MOST = 10


def bring_along(app: App, before: Sequence[str], *, newer: bool = False) -> None:
    """Bring files along and say what was done. git has done its own work: what could not follow is named, and is no failure."""
    from gitmlog.ops.follow import follow

    try:
        ws = app.workspace
        how = ws.config.get("hooks.checkout")
        if how == "off":
            return
        known = [commit for each in before if (commit := _known(app, each))]
        done = follow(ws, known, newer=newer or not known, network=how == "fetch", progress=app.progress)
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


def _known(app: App, revision: str) -> str:
    """The commit; "" where there is none, as before a clone."""
    try:
        return str(app.workspace.git.resolve(revision).id) if revision.strip("0") else ""
    except NotFoundError:
        return ""


def _say(text: str, hint: str = "") -> None:
    echo(f"gitmlog: {harmless(text)}" + (f" ({harmless(hint)})" if hint else ""), err=True)
