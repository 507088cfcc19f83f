"""A group of commands, each a module that is imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """Lists its commands without importing any.

    Attributes:
        package: where the module of a command is, called as the command is, with _ for -; it has the click command as `command`.
        sections: title -> command -> one line of help.
        aliases: words of git's for the same things.
    """

    def __init__(
        self,
        *arguments: Any,
        package: str,
        sections: Mapping[str, Mapping[str, str]],
        aliases: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.package = package
        self.sections = sections
        self.aliases = aliases or {}
        self.listed = {name: text for section in sections.values() for name, text in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.listed)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = self.aliases.get(cmd_name, cmd_name)
        if name not in self.listed:
            return None
        command: click.Command = import_module(f"{self.package}.{name.replace('-', '_')}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in {*self.listed, *self.aliases} and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.listed, 1)
            words = ctx.command_path.removeprefix("gitmlog").strip()
            called = f"{words} {args[0]}" if words else args[0]
            more = f"did you mean `{ctx.command_path} {near[0]}`?" if near else f"`gitmlog help {words}".rstrip() + "` lists them"
            raise click.UsageError(f"there is no command {called!r}: {more}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in self.sections.items():
            if not commands:
                continue
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))
