"""gitmlog help."""

from __future__ import annotations

import io
import shutil
import sys
from typing import TYPE_CHECKING

import click

from gitmlog.cli.options import json_option
from gitmlog.cli.output import echo, echo_json
from gitmlog.core.errors import NotFoundError

if TYPE_CHECKING:
    from gitmlog.ops.topics import Page

_WIDEST = 100
_KINDS = {"guide": "Guides", "spec": "Specifications"}


@click.command("help")
@click.argument("topic", nargs=-1, metavar="[TOPIC]")
@json_option
@click.pass_context
def command(ctx: click.Context, topic: tuple[str, ...], as_json: bool) -> None:
    """Show a command, a guide or a specification; without TOPIC, list them all.

    Where a command and a specification have one name, both are shown.

    \b
    Examples:
      gitmlog help
      gitmlog help add
      gitmlog help remote add
      gitmlog help start
      gitmlog help metafile | less
    """
    from gitmlog.ops.topics import find_page, pages

    if not topic:
        _list(ctx, pages(), as_json)
        return
    name = " ".join(topic)
    usage, page = _usage(ctx, topic), find_page(name)
    if usage is None and page is None:
        raise _unknown(name, [page.name for page in pages()])
    if as_json:
        text = page.text if page else None
        echo_json({"topic": name, "command": usage, "page": text, "kind": page.shelf if page else "command"})
        return
    _show(usage, page)


def _list(ctx: click.Context, every: list[Page], as_json: bool) -> None:
    from gitmlog.cli.main import COMMANDS

    if as_json:
        listed = [{"topic": name, "kind": "command", "title": title} for name, title in COMMANDS.items()]
        listed += [{"topic": page.name, "kind": page.shelf, "title": page.title} for page in every]
        echo_json({"topics": listed})
        return
    echo(ctx.find_root().get_help())
    formatter = click.HelpFormatter()
    for shelf, heading in _KINDS.items():
        with formatter.section(heading):
            formatter.write_dl([(page.name, page.title) for page in every if page.shelf == shelf])
    echo("\n" + formatter.getvalue() + "\n`gitmlog help TOPIC` shows a command, a guide or a specification.")


def _usage(ctx: click.Context, topic: tuple[str, ...]) -> str | None:
    """The help of the command that these words call, or None when there is no such command."""
    context = ctx.find_root()
    for word in topic:
        group = context.command
        found = group.get_command(context, word) if isinstance(group, click.Group) else None
        if found is None:
            return None
        context = click.Context(found, info_name=found.name, parent=context)
    return context.command.get_help(context)


def _show(usage: str | None, page: Page | None) -> None:
    """Rendered and paged on a terminal; elsewhere the text as it is, for `grep` and `less`."""
    if not sys.stdout.isatty():
        echo("\n\n".join(text for text in (usage, page and page.text.rstrip("\n")) if text))
        return
    parts = [usage] if usage else []
    if page:
        parts.append(_render(page.text))
    text = "\n\n".join(parts)
    if len(text.splitlines()) < shutil.get_terminal_size().lines:
        echo(text)
    else:
        click.echo_via_pager(text)


def _render(text: str) -> str:
    from rich.console import Console
    from rich.markdown import Markdown

    columns = shutil.get_terminal_size().columns
    console = Console(file=io.StringIO(), force_terminal=True, width=min(columns, _WIDEST))
    console.print(Markdown(text, hyperlinks=False))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def _unknown(topic: str, names: list[str]) -> NotFoundError:
    from difflib import get_close_matches

    from gitmlog.cli.main import COMMANDS

    near = get_close_matches(topic, [*COMMANDS, *names], 3)
    hint = (
        f"did you mean {', '.join(f'`gitmlog help {name}`' for name in near)}?" if near else "`gitmlog help` lists what there is"
    )
    return NotFoundError(f"there is no help on {topic!r}", kind="no-topic", hint=hint)
