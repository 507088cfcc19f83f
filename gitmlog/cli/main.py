"""The group of commands. Each is a module that is imported when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import click

from gitmlog import __version__
from gitmlog.cli.errors import boundary
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
    "Remotes": {
        "remote": "Say where objects are kept for others.",
        "push": "Send objects to a remote.",
        "fetch": "Bring objects into the cache.",
        "pull": "Fetch, then check out.",
    },
    "Care": {
        "verify": "Read every byte and compare.",
        "gc": "Remove objects that nothing needs.",
        "config": "Read and write settings.",
    },
}
COMMANDS = {name: text for section in SECTIONS.values() for name, text in section.items()}


class LazyGroup(click.Group):
    """Imports a command when it is called, and lists all without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"gitmlog.cli.commands.{cmd_name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            more = f"did you mean `gitmlog {near[0]}`?" if near else "`gitmlog help` lists the commands"
            raise click.UsageError(f"there is no command {args[0]!r}: {more}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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
    gitmlog pull                          a colleague, after git clone
    """
    ctx.obj = App(folder=folder, quiet=quiet)
    ctx.call_on_close(ctx.obj.close)


def run(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code (DESIGN section 10)."""
    return boundary(cli, list(arguments))
