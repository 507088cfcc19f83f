"""`remote`: where objects are kept for others (spec: config.md, Trust)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gitmlog.core.atomic import storage_errors
from gitmlog.core.errors import NotFoundError, RefusedError, UsageError
from gitmlog.core.locks import locked
from gitmlog.core.paths import display
from gitmlog.ops.settings import Kept, change_shared, layers_with, remote_url, shadowed_by
from gitmlog.remote.urls import check_endpoint, parse_url
from gitmlog.repo.config import read_layer, remove_remote, write_setting
from gitmlog.repo.remotes import default_remote, is_trusted, remote_spec, trust_remote
from gitmlog.repo.schema import REMOTE_NAME, Layer, Value
from gitmlog.repo.workspace import Workspace


@dataclass(frozen=True)
class RemoteInfo:
    """A configured remote.

    Attributes:
        name: what commands call it.
        url: where it is.
        default: whether commands use it when none is named.
        layer: the file that its URL comes from.
        trusted: whether its committed address is the one accepted on this machine; None: not asked yet.
    """

    name: str
    url: str
    default: bool
    layer: Layer
    trusted: bool | None


@dataclass(frozen=True)
class NewRemote:
    """A remote to configure.

    Attributes:
        url: as the user wrote it.
        endpoint: the address of a server that speaks the cloud's protocol, or None.
        region: of the bucket, or None.
        default: make it the one that commands use.
        local: keep it in this clone instead of committing it.
        commit: commit the configuration at once.
    """

    url: str
    endpoint: str | None = None
    region: str | None = None
    default: bool = False
    local: bool = False
    commit: bool = True


@dataclass(frozen=True)
class Changed:
    """What became of a change of the configuration, and what the user should know about it.

    Attributes:
        name: of the remote.
        kept: where the change is now.
        url: as it is kept.
        commit: the id and the subject of the commit that was made, or "".
        made_absolute: whether the URL was a path that was written relative to a folder.
        notes: what to take care of.
    """

    name: str
    kept: Kept
    url: str = ""
    commit: str = ""
    made_absolute: bool = False
    notes: tuple[str, ...] = field(default=())


def list_remotes(ws: Workspace) -> list[RemoteInfo]:
    """All configured remotes, sorted by name. Raises ConfigError."""
    default = default_remote(ws.config)
    return [_info(ws, name, name == default) for name in ws.config.remotes()]


def _info(ws: Workspace, name: str, default: bool) -> RemoteInfo:
    url, layer = ws.config.remote_options(name)["url"]
    return RemoteInfo(name, str(url), default, layer, is_trusted(ws.config, name, ws.trust_file))


def add_remote(ws: Workspace, name: str, new: NewRemote, base: Path) -> Changed:
    """Configure a remote; its address is trusted on this machine from now on.

    Raises:
        UsageError: kind `bad-name`.
        ConfigError: kind `bad-url`.
        RefusedError: kind `exists`; the remote would lie in the cache itself.
    """
    if not REMOTE_NAME.fullmatch(name):
        hint = "letters, digits, '-' and '_', beginning with a letter or digit, at most 64"
        raise UsageError(f"{display(name)} is no name for a remote", kind="bad-name", hint=hint)
    if name in ws.config.remotes():
        hint = f"change it: gitmlog config --shared remote.{name}.url URL; or remove it first: gitmlog remote remove {name}"
        raise RefusedError(f"there is a remote {name!r} already", kind="exists", hint=hint)
    values = _values(name, new, base)
    notes = _check_place(ws, values[f"remote.{name}.url"])

    def edit(path: Path) -> None:
        layer: Layer = "local" if new.local else "shared"
        for key, value in values.items():
            write_setting(path, layer, key, value)

    message = f"gitmlog: remote {name}"
    kept = _change(ws, edit, message, local=new.local, commit=new.commit)
    trust_remote(ws.config, name, ws.trust_file)
    url = str(values[f"remote.{name}.url"])
    return Changed(name, kept, url, _commit(ws, kept, message), url != new.url, notes)


def _values(name: str, new: NewRemote, base: Path) -> dict[str, Value]:
    values: dict[str, Value] = {f"remote.{name}.url": remote_url(new.url, base)}
    if new.endpoint:
        values[f"remote.{name}.endpoint"] = check_endpoint(new.endpoint)
    if new.region:
        values[f"remote.{name}.region"] = new.region
    if new.default:
        values["core.remote"] = name
    return values


def _check_place(ws: Workspace, url: Value) -> tuple[str, ...]:
    location = parse_url(str(url))
    if location.scheme != "file":
        return ()
    folder = Path(location.path).resolve()
    if folder.is_relative_to(ws.git.commondir) or folder == ws.cache.root.resolve():
        hint = "a remote is a second place: choose a folder outside the repository"
        raise RefusedError(f"{display(location.path)} lies in the repository's own git directory", kind="own-cache", hint=hint)
    if folder.is_relative_to(ws.root):
        return (f"{display(location.path)} lies in the working tree: keep git from adding it (.gitignore)",)
    return ()


def _change(ws: Workspace, edit: Callable[[Path], object], message: str, *, local: bool, commit: bool) -> Kept:
    if not local:
        return change_shared(ws, edit, message, commit=commit)
    with storage_errors("writing settings"), locked(ws.home / "config.lock"):
        edit(ws.config_files["local"])
    ws.__dict__.pop("config", None)
    return "private"


def _commit(ws: Workspace, kept: Kept, message: str) -> str:
    return f"{str(ws.git.resolve('HEAD').id)[:7]}: {message}" if kept == "committed" else ""


def drop_remote(ws: Workspace, name: str, *, commit: bool = True) -> Changed:
    """Forget a remote, wherever it is configured for this repository. What lies there stays there.

    Raises:
        NotFoundError: kind `no-remote`.
        RefusedError: kind `user-config`: only the user's own file has it.
    """
    _check_known(ws, name)
    layers = layers_with(ws, f"remote.{name}.")
    kept: Kept = "private"
    message = f"gitmlog: no remote {name}"
    if "local" in layers or _default_in(ws, "local") == name:
        _change(ws, lambda path: _remove(path, "local", name), "", local=True, commit=False)
    if "shared" in layers or _default_in(ws, "shared") == name:
        kept = _change(ws, lambda path: _remove(path, "shared", name), message, local=False, commit=commit)
    trust_remote(ws.config, name, ws.trust_file)
    if name in ws.config.remotes():
        file = display(ws.config_files["user"])
        hint = f"take it out of {file}"
        raise RefusedError(f"the remote {name!r} is set in your own configuration", kind="user-config", hint=hint)
    return Changed(name, kept, commit=_commit(ws, kept, message))


def _default_in(ws: Workspace, layer: Layer) -> Value | None:
    return read_layer(ws.config_sources[layer], layer).get("core.remote")


def _remove(path: Path, layer: Layer, name: str) -> None:
    remove_remote(path, layer, name)
    if read_layer(path, layer).get("core.remote") == name:
        write_setting(path, layer, "core.remote", None)


def set_default(ws: Workspace, name: str, *, local: bool = False, commit: bool = True) -> Changed:
    """Make `name` the remote that commands use when none is named.

    It is committed when the remote itself is, else kept in this clone. Raises NotFoundError, kind `no-remote`.
    """
    _check_known(ws, name)
    private = local or ws.config.remote_options(name)["url"][1] != "shared"
    layer: Layer = "local" if private else "shared"
    message = f"gitmlog: default remote {name}"
    kept = _change(ws, lambda path: write_setting(path, layer, "core.remote", name), message, local=private, commit=commit)
    winner = shadowed_by(ws, "core.remote", layer)
    notes = (f"core.remote in your {winner} configuration still wins: gitmlog config --{winner} --unset core.remote",)
    return Changed(name, kept, commit=_commit(ws, kept, message), notes=notes if winner else ())


def accept(ws: Workspace, name: str) -> RemoteInfo:
    """Accept the committed address of a remote on this machine, and that it is empty. Raises NotFoundError, kind `no-remote`."""
    _check_known(ws, name)
    trust_remote(ws.config, name, ws.trust_file)
    ws.pushed.forget_all(remote_spec(ws.config, name).url)
    return next(info for info in list_remotes(ws) if info.name == name)


def _check_known(ws: Workspace, name: str) -> None:
    names = ws.config.remotes()
    if name not in names:
        hint = f"there are: {', '.join(names)}" if names else f"gitmlog remote add {name} URL"
        raise NotFoundError(f"there is no remote {name!r}", kind="no-remote", hint=hint)
