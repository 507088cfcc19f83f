"""The group of commands. Each is a module that is imported when it is called."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gitmlog import __version__
from gitmlog.cli.errors import boundary
from gitmlog.cli.lazy import LazyGroup
from gitmlog.cli.output import App

SECTIONS: dict[str, dict[str, str]] = {
    "Start": {
        "init": "Prepare a git repository.",
        "demo": "Play the whole story in a new repository.",
        "help": "Show a command, a guide or a specification.",
        "doctor": "Check this machine and this repository.",
    },
    "Files": {
        "add": "Track files and directories.",
        "status": "Show what differs.",
        "checkout": "Write tracked files into the working tree.",
        "mv": "Rename a tracked path.",
        "rm": "Stop tracking a path.",
        "cat": "Print a file of any revision.",
        "get": "Take a file out of another repository.",
    },
    "Runs": {
        "run": "Run a program, and record it.",
        "runs": "List, compare, plot and keep runs.",
    },
    "History": {
        "blame": "Show what last changed a tracked path.",
        "bisect": "Find the commit that made a metric bad.",
    },
    "Remotes": {
        "remote": "Say where objects are kept for others.",
        "push": "Send objects to a remote.",
        "fetch": "Bring objects into the cache.",
        "pull": "Fetch, then check out.",
    },
    "Git": {
        "hooks": "Put git's hooks in place, and away.",
        "ci": "Report on pull requests, on a code host.",
    },
    "Care": {
        "verify": "Read every byte and compare.",
        "gc": "Remove objects that nothing needs.",
        "config": "Read and write settings.",
    },
    "Plumbing": {
        "hook": "What git's hooks call.",
        "driver": "What git calls to merge metafiles.",
    },
}
COMMANDS = {name: text for section in SECTIONS.values() for name, text in section.items()}


@click.group(
    cls=LazyGroup,
    package="gitmlog.cli.commands",
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="gitmlog", message="%(prog)s %(version)s")
@click.option("-C", "folder", metavar="DIR", type=click.Path(exists=True, file_okay=False), help="Work as if started in DIR.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors and asked-for results only.")
@click.pass_context
def cli(ctx: click.Context, folder: str | None, quiet: bool) -> None:
    """Models, datasets and artifacts, versioned with git.

    A large file is replaced in git by a small text metafile; its bytes live in a local cache and in a remote.

    \b
    gitmlog init                          once, in a git repository
    gitmlog add model.safetensors         keep the bytes, stage the metafile
    git commit -m "first model"
    gitmlog remote add origin s3://models/demo
    gitmlog push && git push
    gitmlog init && gitmlog pull          a colleague, after git clone
    """
    ctx.obj = App(folder=folder, quiet=quiet)
    ctx.call_on_close(ctx.obj.close)


def run(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code (DESIGN section 10)."""
    return boundary(cli, list(arguments))
