"""Which remote a command uses, and whether its committed address is the one that was trusted here (spec: config.md, Trust)."""

from __future__ import annotations

from pathlib import Path

from gitmlog.core.atomic import write_atomic
from gitmlog.core.errors import ConfigError, NotFoundError, RefusedError
from gitmlog.remote.base import RemoteSpec
from gitmlog.repo.config import Config
from gitmlog.repo.schema import REMOTE_KEYS, Value

_ADDRESS = ("url", "endpoint", "region")


def choose_remote(config: Config, name: str | None) -> str:
    """The name of the remote to use: the one asked for, `core.remote`, or the only one.

    Raises:
        NotFoundError: kinds `no-remote`, `which-remote`.
    """
    names = config.remotes()
    wanted = name or config.get("core.remote")
    if wanted is not None:
        if wanted not in names:
            hint = f"there are: {', '.join(names)}" if names else f"gitmlog remote add {wanted} URL"
            raise NotFoundError(f"there is no remote {wanted!r}", kind="no-remote", hint=hint)
        return str(wanted)
    if len(names) == 1:
        return names[0]
    if not names:
        hint = "gitmlog remote add origin URL (a folder, s3://, gs://, az://, ssh://: `gitmlog help remotes`)"
        raise NotFoundError("no remote is configured", kind="no-remote", hint=hint)
    hint = "choose one: `gitmlog remote default NAME`, or `--remote NAME`"
    raise NotFoundError(f"there are {len(names)} remotes ({', '.join(names)}) and no default", kind="which-remote", hint=hint)


def remote_spec(config: Config, name: str) -> RemoteSpec:
    """The remote `name` with its options. Raises ConfigError when it has no URL."""
    options = {key: value for key, (value, _) in config.remote_options(name).items()}
    url = options.pop("url", None)
    if not isinstance(url, str):
        raise ConfigError(f"remote {name!r} has no url", hint=f"gitmlog config remote.{name}.url URL")
    for key, known in REMOTE_KEYS.items():
        if known.default is not None:
            options.setdefault(key, known.default)
    return RemoteSpec(name, url, {key: value for key, value in options.items() if isinstance(value, str | int)})


def check_trust(config: Config, name: str, trust_file: Path) -> None:
    """Refuse a committed address that is not the one that this clone used before; remember the first one.

    Raises:
        RefusedError: kind `remote-changed`, with old and new.
    """
    now = _committed_address(config, name)
    trusted = _read(trust_file)
    if not now or trusted.get(name) == now:
        return
    if name not in trusted:
        trust_remote(config, name, trust_file)
        return
    raise RefusedError(
        f"the committed address of remote {name!r} changed from {_words(trusted[name])} to {_words(now)}: nothing was sent there",
        kind="remote-changed",
        hint=f"see who changed it: `git log -p -- .gitmlog/config.toml`; to accept it here: `gitmlog remote trust {name}`",
    )


def is_trusted(config: Config, name: str, trust_file: Path) -> bool | None:
    """Whether the committed address of a remote is the one accepted here; None when none was asked about yet."""
    now, trusted = _committed_address(config, name), _read(trust_file)
    if not now:
        return True
    return trusted[name] == now if name in trusted else None


def trust_remote(config: Config, name: str, trust_file: Path) -> None:
    """Accept the committed address of a remote on this machine."""
    trusted = _read(trust_file)
    address = _committed_address(config, name)
    if address:
        trusted[name] = address
    else:
        trusted.pop(name, None)
    _write(trust_file, trusted)


def _committed_address(config: Config, name: str) -> dict[str, str]:
    options = config.remote_options(name)
    return {key: str(options[key][0]) for key in _ADDRESS if key in options and options[key][1] == "shared"}


def _words(address: dict[str, str]) -> str:
    return " ".join(address.get(key, "") for key in _ADDRESS).strip() or "none"


def _read(trust_file: Path) -> dict[str, dict[str, str]]:
    import tomllib

    try:
        return tomllib.loads(trust_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{trust_file} is damaged: {error}", hint=f"look at it, then delete it: rm {trust_file}") from error


def _write(trust_file: Path, trusted: dict[str, dict[str, str]]) -> None:
    import tomlkit

    trust_file.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, Value | dict[str, str]] = dict(sorted(trusted.items()))
    write_atomic(trust_file, tomlkit.dumps(document).encode(), mode=0o600)
