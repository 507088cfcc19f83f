"""Reading and writing settings; the committed file is staged, and committed alone where that is safe (spec: config.md)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gitmlog.core.atomic import storage_errors
from gitmlog.core.errors import GitmlogError, NotFoundError, RefusedError, UsageError
from gitmlog.core.locks import locked
from gitmlog.git.porcelain import commit_paths
from gitmlog.git.staging import stage
from gitmlog.remote.urls import check_endpoint, parse_url
from gitmlog.repo.config import SHARED_PATH, Config, Source, load_config, parse_value, read_layer, write_setting
from gitmlog.repo.remotes import check_trust, trust_remote
from gitmlog.repo.schema import KEYS, LAYERS, Layer, Value, is_secret
from gitmlog.repo.workspace import Workspace

HIDDEN = "********"
_FOLDERS = ("cache.dir",)
_FILES = ("key_file", "known_hosts", "credentials")

Kept = Literal["committed", "staged", "private"]
"""Where a change is now: in a commit of its own, staged for the next commit, or in a file that git never sees."""


@dataclass(frozen=True)
class Setting:
    """One key as it is.

    Attributes:
        key: its name.
        value: what it is set to; `********` for a secret.
        layer: the file that it comes from, or None for a default.
    """

    key: str
    value: Value
    layer: Layer | None


def settings(files: Mapping[Layer, Source]) -> list[Setting]:
    """All keys that are set or have a default, sorted by name; not the files' own version. Raises ConfigError."""
    config = load_config(files)
    names = ({name for layer in config.layers.values() for name in layer} | set(KEYS)) - {"version"}
    return [found for name in sorted(names) if (found := _setting(config, name)) is not None]


def setting(files: Mapping[Layer, Source], name: str) -> Setting:
    """One key.

    Raises:
        NotFoundError: kind `no-key`: nothing sets it, and it has no default.
        UsageError: kind `unknown-key`.
        ConfigError: a file breaks the rules.
    """
    _check_name(name)
    found = _setting(load_config(files), name)
    if found is None:
        raise NotFoundError(f"{name} is not set", kind="no-key", hint=f"gitmlog config {name} VALUE")
    return found


def _check_name(name: str) -> None:
    try:
        parse_value(name, "")
    except UsageError as error:
        if error.kind == "unknown-key":
            raise


def _setting(config: Config, name: str) -> Setting | None:
    value = config.get(name)
    if value is None:
        return None
    found = config.find(name)
    return Setting(name, HIDDEN if is_secret(name) else value, found[1] if found else None)


def change_user(path: Path, name: str, text: str | None, base: Path) -> None:
    """Set one key of the user's own file, or remove it (None). Needs no repository. Raises as `change_setting`."""
    value = None if text is None else _value(name, text, base)
    with storage_errors("writing settings"):
        _mark_shared(name, value)
        write_setting(path, "user", name, value)


def change_private(path: Path, name: str, text: str | None, base: Path) -> None:
    """Set one key of the private file of a repository, bare or not, or remove it (None). Raises as `change_setting`."""
    value = None if text is None else _value(name, text, base)
    with storage_errors("writing settings"), locked(path.parent / "config.lock"):
        _mark_shared(name, value)
        write_setting(path, "local", name, value)


def change_setting(ws: Workspace, name: str, text: str | None, base: Path) -> Kept:
    """Set one key of the committed file, or remove it (None), and stage it; paths in it are relative to `base`.

    Raises:
        UsageError: kinds `unknown-key`, `bad-value`, `not-shared`.
        ConfigError: kind `bad-url`; or a file breaks the rules.
        NotFoundError: kind `no-key`: there is nothing to remove.
        RefusedError: kind `remote-changed`: the address to change is not the one that was trusted here.
    """
    value = None if text is None else _value(name, text, base)
    remote = _remote_of_address(name)
    if remote is not None:
        check_trust(ws.config, remote, ws.trust_file)
    kept = change_shared(ws, lambda path: write_setting(path, "shared", name, value), f"gitmlog: {name}", commit=False)
    if remote is not None:
        trust_remote(ws.config, remote, ws.trust_file)
    return kept


def _mark_shared(name: str, value: Value | None) -> None:
    """A cache that another clone is pointed to says so, so that gc in the clone that it lies in does not take it for its own."""
    if name == "cache.dir" and value is not None:
        folder = Path(os.path.expanduser(str(value)))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "shared").touch()


def _remote_of_address(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if len(parts) == 3 and parts[2] in ("url", "endpoint", "region") else None


def _value(name: str, text: str, base: Path) -> Value:
    value = parse_value(name, text)
    last = name.rpartition(".")[2]
    if last == "url":
        return remote_url(text, base)
    if last == "endpoint":
        return check_endpoint(text)
    if name in _FOLDERS or (last in _FILES and name.startswith("remote.")):
        return text if text.startswith("~") else os.path.abspath(base / text)
    return value


def remote_url(text: str, base: Path) -> str:
    """A remote's URL as it is kept: a plain path becomes absolute.

    Raises:
        ConfigError: kind `bad-url`.
        UsageError: kind `bad-url`: an address in scp's form.
    """
    if "://" not in text and text:
        head, colon, path = text.partition(":")
        if colon and "/" not in head and not os.path.lexists(base / text):
            hint = (
                f"write ssh://{head}/{path.lstrip('/')} (from the server's root), or ssh://{head}/~/{path} (from your home there)"
            )
            raise UsageError(f"{text} is neither a URL nor a path", kind="bad-url", hint=hint)
        text = os.path.abspath(base / text)
    parse_url(text)
    return text


def change_shared(ws: Workspace, edit: Callable[[Path], object], message: str, *, commit: bool) -> Kept:
    """Edit the committed file, stage it, and (with `commit`) commit it alone.

    It stays staged when there is no commit yet, when a merge or rebase is under way, when it had other changes that
    are not committed, or when git would not commit (no identity).

    Raises:
        RefusedError: kind `link-in-path`.
        GitError: kind `index-locked`.
    """
    path = ws.root / SHARED_PATH
    if path.parent.is_symlink() or path.is_symlink():
        hint = "remove that link, or take the folder back from git"
        raise RefusedError(f"{SHARED_PATH} leads through a symbolic link", kind="link-in-path", hint=hint)
    with storage_errors("writing settings"), ws.changing():
        if ws.git.is_left_out(SHARED_PATH):  # by a sparse checkout: what is there is edited, and not begun anew
            ws.write(SHARED_PATH, ws.git.index_blob(SHARED_PATH) or b"")
        before = path.read_bytes() if path.exists() else None
        alone = commit and not ws.git.is_unborn and not ws.git.is_busy and _committed(ws) == before == _staged(ws)
        edit(path)
        stage(ws.git, {SHARED_PATH: path.read_bytes()})
    ws.__dict__.pop("config", None)
    return "committed" if alone and commit_paths(ws.git, [SHARED_PATH], message) else "staged"


def _committed(ws: Workspace) -> bytes | None:
    try:
        return ws.git.blob_at("HEAD", SHARED_PATH)
    except NotFoundError:
        return None


def _staged(ws: Workspace) -> bytes | None:
    return ws.git.index_blob(SHARED_PATH)


def layers_with(ws: Workspace, prefix: str) -> list[Layer]:
    """The layers that set a key which begins with `prefix`."""
    files = ws.config_sources
    return [layer for layer in LAYERS if layer in files and _has(files[layer], layer, prefix)]


def _has(path: Source, layer: Layer, prefix: str) -> bool:
    return any(key.startswith(prefix) for key in read_layer(path, layer))


def shadowed_by(ws: Workspace, name: str, layer: Layer) -> Layer | None:
    """The layer whose value of `name` wins over that of `layer`, if there is one."""
    try:
        found = ws.config.find(name)
    except GitmlogError:
        return None
    return found[1] if found is not None and LAYERS.index(found[1]) < LAYERS.index(layer) else None
