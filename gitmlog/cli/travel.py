"""What push, fetch and pull have in common when they are about runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitmlog.cli.options import RunWords
from gitmlog.cli.output import App, echo_json, human_size, plural, there
from gitmlog.core.errors import UsageError
from gitmlog.core.paths import display

if TYPE_CHECKING:
    from gitmlog.ops.runs.travel import Travelled, TravelOptions


def travel_options(words: RunWords, *, others: bool) -> TravelOptions | None:
    """The options of a command about runs, or None when it is about tracked paths. `others`: options of that were given.

    Raises:
        UsageError: both were asked for.
    """
    from gitmlog.ops.runs.travel import TravelOptions

    if not (words.all or words.where is not None or words.runs):
        if words.git_remote is not None:
            raise UsageError("--git-remote says where runs go: it needs --runs", hint="gitmlog push --runs --git-remote NAME")
        return None
    if others:
        raise UsageError("--runs goes with no PATH, --rev or --all", hint="push or fetch paths in a command of its own")
    return TravelOptions(words.where, words.runs, words.git_remote)


def show_pushed(app: App, done: Travelled, *, as_json: bool) -> None:
    """What pushing runs did."""
    if as_json:
        echo_json(done)
        return
    _notes(app, done)
    if not done.runs and not done.present:
        app.say("no run to send")
        return
    if done.objects is not None and done.objects.sent:
        app.say(f"sent {plural(done.objects.sent, 'object')} ({human_size(done.objects.bytes)}) to {done.objects.remote}")
    if done.runs:
        already = f"; {there(done.present)} there already" if done.present else ""
        app.say(f"pushed {plural(len(done.runs), 'run')} to git remote {display(done.git_remote)}{already}")
    else:
        app.say(f"git remote {display(done.git_remote)} has all of them already ({plural(done.present, 'run')})")
    _show_archived(app, done, "there")


def _show_archived(app: App, done: Travelled, where: str) -> None:
    if done.archived:
        app.say(f"archived {plural(len(done.archived), 'run')} {where}")
    if done.unarchived:
        app.say(f"took {plural(len(done.unarchived), 'run')} back from the archive {where}")


def show_fetched(app: App, done: Travelled, *, as_json: bool) -> None:
    """What fetching runs did."""
    if as_json:
        echo_json(done)
        return
    _notes(app, done)
    if done.runs:
        app.say(f"fetched {plural(len(done.runs), 'run')} from git remote {display(done.git_remote)}")
    else:
        app.say(f"git remote {display(done.git_remote)} has no run that is not here ({plural(done.present, 'run')} here)")
    _show_archived(app, done, "here, as it is there")
    if done.objects is not None and done.objects.sent:
        app.say(f"fetched {plural(done.objects.sent, 'object')} ({human_size(done.objects.bytes)}) from {done.objects.remote}")


def _notes(app: App, done: Travelled) -> None:
    for note in done.notes:
        app.note(note)
