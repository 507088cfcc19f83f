"""gitmlog config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitmlog.cli.options import json_option, pass_app
from gitmlog.cli.output import App, echo, echo_json
from gitmlog.core.errors import GitError, NotFoundError, UsageError
from gitmlog.repo.schema import Layer, Value

if TYPE_CHECKING:
    from gitmlog.repo.config import Source

_VERBS = {"get": "KEY", "set": "KEY VALUE", "unset": "--unset KEY", "list": "--list", "edit": "KEY VALUE"}


@click.command("config")
@click.argument("key", required=False)
@click.argument("value", required=False)
@click.argument("rest", nargs=-1, metavar="")
@click.option("--global", "as_global", is_flag=True, hidden=True, help="git's word for --user.")
@click.option("--local", "layer", flag_value="local", help="In this clone (the default for writing).")
@click.option("--user", "layer", flag_value="user", help="In your own file, for all repositories.")
@click.option("--shared", "layer", flag_value="shared", help="In .gitmlog/config.toml, which is committed; it is staged.")
@click.option("--unset", is_flag=True, help="Remove KEY from that file.")
@click.option("--list", "as_list", is_flag=True, help="Show all keys (also without KEY).")
@json_option
@pass_app
def command(  # noqa: PLR0913, PLR0917 - one parameter an option
    app: App,
    key: str | None,
    value: str | None,
    rest: tuple[str, ...],
    as_global: bool,
    layer: Layer | None,
    unset: bool,
    as_list: bool,
    as_json: bool,
) -> None:
    """Read and write settings. `gitmlog help config` lists the keys.

    Three files, the first that has a key wins: this clone's, your own, the committed one. Credentials can stand in the first two
    only, and are shown as ********. Lists are written with commas. In a bare repository on a server there are the first two.

    \b
    Examples:
      gitmlog config                                    all settings, and where each comes from
      gitmlog config cache.link hardlink,copy
      gitmlog config --user core.jobs 8
      gitmlog config remote.origin.profile work
      gitmlog config --shared remote.origin.region eu-central-1
      gitmlog config --unset cache.link
      gitmlog -C /srv/demo.git config remote.origin.url s3://models/demo
    """
    if as_global:
        raise UsageError("there is no --global", hint="your own file, for all repositories: `gitmlog config --user`")
    if key in _VERBS:
        hint = f"without the word: gitmlog config {_VERBS[key].replace('KEY', value or 'KEY')}"
        raise UsageError(f"config has no {key!r}", hint=hint)
    if rest:
        raise UsageError(f"too many words: {' '.join(rest)}", hint="quote a VALUE that has spaces")
    if key is None and unset:
        raise UsageError("--unset needs a KEY")
    if as_list and key is not None:
        raise UsageError("--list takes no KEY")
    if value is not None and unset:
        raise UsageError("--unset takes no VALUE")
    if key is None:
        _list(app, layer, as_json)
    elif value is None and not unset:
        _show(app, key, layer, as_json)
    else:
        _change(app, key, value, layer or "local")


def _files(app: App, layer: Layer | None) -> dict[Layer, Source]:
    """Of all layers, or of one; outside a repository there is only the user's own."""
    files: dict[Layer, Source] = {"user": app.user_config}
    if layer != "user":
        try:
            files = app.workspace.config_sources
        except NotFoundError:
            if layer is not None:
                raise
        except GitError as error:
            if error.kind != "bare-repository" or layer == "shared":
                raise
            files = {**app.server.config_files}
    return files if layer is None else {layer: files[layer]}


def _list(app: App, layer: Layer | None, as_json: bool) -> None:
    from gitmlog.ops.settings import settings

    found = [item for item in settings(_files(app, layer)) if layer is None or item.layer is not None]
    if as_json:
        echo_json(found)
        return
    for item in found:
        echo(f"{item.key} = {_text(item.value)}  ({item.layer or 'default'})")


def _show(app: App, key: str, layer: Layer | None, as_json: bool) -> None:
    from gitmlog.ops.settings import setting

    found = setting(_files(app, layer), key)
    if layer is not None and found.layer is None:
        raise NotFoundError(f"{key} is not set there", kind="no-key", hint=f"gitmlog config --{layer} {key} VALUE")
    if as_json:
        echo_json(found)
    else:
        echo(_text(found.value))


def _text(value: Value) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def _change(app: App, key: str, value: str | None, layer: Layer) -> None:
    from gitmlog.ops.settings import change_private, change_setting, change_user

    if layer == "user":
        change_user(app.user_config, key, value, app.base)
    elif layer == "local":
        change_private(_private_file(app), key, value, app.base)
    elif change_setting(app.workspace, key, value, app.base) == "staged":
        app.say("staged .gitmlog/config.toml: git commit shares it")


def _private_file(app: App) -> Path:
    """That of the clone, or of a bare repository."""
    try:
        return app.workspace.config_files["local"]
    except GitError as error:
        if error.kind != "bare-repository":
            raise
        return app.server.config_files["local"]
