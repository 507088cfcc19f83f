"""gitmlog remote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo, echo_json
from gitmlog.core.paths import display

if TYPE_CHECKING:
    from gitmlog.ops.remotes import Changed

_no_commit = click.option("--no-commit", is_flag=True, help="Leave the change of .gitmlog/config.toml staged.")


_ALIASES = {"rm": "remove", "ls": "list"}
_INSTEAD = {
    "set-url": "gitmlog config --shared remote.NAME.url URL",
    "get-url": "gitmlog config remote.NAME.url",
    "show": "gitmlog remote list",
    "update": "gitmlog fetch",
}


class RemoteGroup(click.Group):
    """Knows git's words for the same things."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, _ALIASES.get(cmd_name, cmd_name))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            from difflib import get_close_matches

            near = [f"{ctx.command_path} {word}" for word in get_close_matches(name, self.commands, 1)]
            more = f"did you mean `{_INSTEAD.get(name) or near[0]}`?" if name in _INSTEAD or near else "there are: "
            listed = "" if more.endswith("?") else ", ".join(self.commands)
            raise click.UsageError(f"there is no command 'remote {name}': {more}{listed}", ctx)
        return super().resolve_command(ctx, args)


@click.group("remote", cls=RemoteGroup, invoke_without_command=True)
@click.option("-v", "--verbose", is_flag=True, hidden=True, help="As in git; the URLs are always shown.")
@click.pass_context
def command(ctx: click.Context, verbose: bool) -> None:  # noqa: ARG001 - git's habit
    """Say where objects are kept for others: a folder, s3://, gs://, az://, ssh://, or (to read) https://.

    A remote is configured in .gitmlog/config.toml, which is committed: who clones the repository has it. Credentials never stand
    there; `gitmlog help remotes` says where they come from.

    \b
    Examples:
      gitmlog remote list                      also: gitmlog remote
      gitmlog remote add origin s3://models/demo
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@command.command("add")
@click.argument("name")
@click.argument("url")
@click.option("--endpoint", metavar="URL", help="The server that speaks the cloud's protocol (MinIO, SeaweedFS, …).")
@click.option("--region", metavar="NAME", help="The bucket's region.")
@click.option("--default", is_flag=True, help="Use it when no remote is named.")
@click.option("--local", is_flag=True, help="Keep it in this clone; commit nothing.")
@_no_commit
@json_option
@pass_app
def add(  # noqa: PLR0913, PLR0917 - one parameter an option
    app: App,
    name: str,
    url: str,
    endpoint: str | None,
    region: str | None,
    default: bool,
    local: bool,
    no_commit: bool,
    as_json: bool,
) -> None:
    """Configure a remote, and commit that one file alone. A plain path is made absolute.

    Nothing is sent or asked for. When git would not commit now (no commit yet, a merge under way, no identity) the change
    stays staged.

    \b
    Examples:
      gitmlog remote add origin s3://models/demo --region eu-central-1
      gitmlog remote add origin s3://models --endpoint http://127.0.0.1:8333
      gitmlog remote add backup /mnt/backup/models --local
      gitmlog remote add lab ssh://ada@lab.example/~/models
    """
    from gitmlog.ops.remotes import NewRemote, add_remote

    done = add_remote(app.workspace, name, NewRemote(url, endpoint, region, default, local, not no_commit), app.base)
    _report(app, done, f"remote {name}: {display(done.url)}", as_json)


@command.command("remove")
@click.argument("name")
@_no_commit
@json_option
@pass_app
def remove(app: App, name: str, no_commit: bool, as_json: bool) -> None:
    """Forget a remote. What lies there stays there.

    \b
    Example:
      gitmlog remote remove backup
    """
    from gitmlog.ops.remotes import drop_remote

    _report(app, drop_remote(app.workspace, name, commit=not no_commit), f"removed remote {name}", as_json)


@command.command("default")
@click.argument("name")
@click.option("--local", is_flag=True, help="Only in this clone; commit nothing.")
@_no_commit
@json_option
@pass_app
def default(app: App, name: str, local: bool, no_commit: bool, as_json: bool) -> None:
    """Use this remote when none is named.

    \b
    Example:
      gitmlog remote default backup --local
    """
    from gitmlog.ops.remotes import set_default

    done = set_default(app.workspace, name, local=local, commit=not no_commit)
    _report(app, done, f"default remote: {name}", as_json)


@command.command("trust")
@click.argument("name")
@json_option
@pass_app
def trust(app: App, name: str, as_json: bool) -> None:
    """Accept the address of a remote that somebody's commit changed. Look at the change first.

    \b
    Example:
      git log -p -- .gitmlog/config.toml
      gitmlog remote trust origin
    """
    from gitmlog.ops.remotes import accept

    info = accept(app.workspace, name)
    if as_json:
        echo_json(info)
    else:
        app.say(f"trusted here: remote {info.name} at {display(info.url)}")


@command.command("list")
@json_option
@pass_app
def list_(app: App, as_json: bool) -> None:
    """List the remotes: name, URL, where it is configured, whether its address is trusted here.

    \b
    Example:
      gitmlog remote list --json
    """
    from gitmlog.ops.remotes import list_remotes

    found = list_remotes(app.workspace)
    if as_json:
        echo_json(found)
        return
    for info in found:
        remarks = [info.layer, *(["default"] if info.default else [])]
        if info.trusted is False:
            remarks.append(f"address changed: gitmlog remote trust {info.name}")
        echo(f"{info.name}  {display(info.url)}  ({', '.join(remarks)})")
    if not found:
        echo("no remote is configured: gitmlog remote add origin URL")


def _report(app: App, done: Changed, text: str, as_json: bool) -> None:
    for note in done.notes:
        app.note(note)
    if as_json:
        echo_json(done)
        return
    app.say(text)
    if done.made_absolute:
        app.say("a folder of this machine: its absolute path was written")
    after = {
        "committed": f"committed as {done.commit}",
        "staged": "staged .gitmlog/config.toml: git commit shares it",
        "private": "in this clone only: nothing was committed",
    }
    app.say(after[done.kept])
