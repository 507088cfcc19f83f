"""Which remote a command uses, and whether its committed address is the one that was trusted here (spec: config.md, Trust)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from gitmlog.core.atomic import write_atomic
from gitmlog.core.errors import ConfigError, NotFoundError, RefusedError
from gitmlog.remote.base import RemoteSpec
from gitmlog.remote.urls import check_endpoint, is_this_machine, parse_url
from gitmlog.repo.config import Config
from gitmlog.repo.schema import CREDENTIALS, REMOTE_KEYS, Layer, Value

ORIGIN = "origin"
_ADDRESS = ("url", "endpoint", "region")


def choose_remote(config: Config, name: str | None) -> str:
    """The name of the remote to use: the one asked for, `core.remote`, the only one, or the one called `origin`.

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
    if len(names) == 1 or ORIGIN in names:
        return names[0] if len(names) == 1 else ORIGIN
    if not names:
        hint = "gitmlog remote add origin URL (a folder, s3://, gs://, az://, ssh://: `gitmlog help remotes`)"
        raise NotFoundError("no remote is configured", kind="no-remote", hint=hint)
    hint = "choose one: `gitmlog remote default NAME`, or `--remote NAME`"
    raise NotFoundError(f"there are {len(names)} remotes ({', '.join(names)}) and no default", kind="which-remote", hint=hint)


def default_remote(config: Config) -> str | None:
    """The name of the remote that is used when none is named, or None."""
    try:
        return choose_remote(config, None)
    except NotFoundError:
        return None


def remote_spec(config: Config, name: str) -> RemoteSpec:
    """The remote `name` with its options, less the credentials that may not go to its address (spec: config.md, Trust).

    Raises:
        ConfigError: it has no URL.
    """
    found = config.remote_options(name)
    options = {key: value for key, (value, layer) in found.items() if not _is_misdirected(found, key, layer)}
    url = options.pop("url", None)
    if not isinstance(url, str):
        raise ConfigError(f"remote {name!r} has no url", hint=f"gitmlog config remote.{name}.url URL")
    for key, known in REMOTE_KEYS.items():
        if known.default is not None:
            options.setdefault(key, known.default)
    return RemoteSpec(name, url, {key: value for key, value in options.items() if isinstance(value, str | int)})


def _is_misdirected(options: Mapping[str, tuple[Value, Layer]], key: str, layer: Layer) -> bool:
    """Whether a commit chose the address, and the user's own file, which serves every clone, a credential for that name.

    Were the address in the user's own file too, it would win over the committed one.
    """
    committed = any(part in options and options[part][1] == "shared" for part in ("url", "endpoint"))
    return key in CREDENTIALS and layer == "user" and committed


def check_bearer(config: Config, name: str, hint: str) -> None:
    """Refuse a committed endpoint that would get a credential of this machine's as it is, and not a signature.

    Raises:
        RefusedError: kind `remote-untrusted`.
    """
    options = config.remote_options(name)
    if "endpoint" not in options or "url" not in options or options["endpoint"][1] != "shared":
        return
    scheme = parse_url(str(options["url"][0])).scheme
    endpoint = urlsplit(check_endpoint(str(options["endpoint"][0])))
    host = endpoint.hostname or ""
    plain = scheme == "s3" and endpoint.scheme == "http" and not is_this_machine(host)
    if scheme in ("gs", "az") or (plain and _may_have_session(remote_spec(config, name))):
        message = f"remote {name!r}: a commit chose {host} to get this machine's credentials: it was not used"
        raise RefusedError(message, kind="remote-untrusted", hint=hint)


def _may_have_session(spec: RemoteSpec) -> bool:
    """Whether requests may carry a session token: unless keys that need none are set, nobody knows what the chain finds."""
    return "session_token" in spec.options or "access_key" not in spec.options


def check_trust(config: Config, name: str, trust_file: Path, *, explicit: bool = True) -> None:
    """Refuse a committed address that is not the one that this clone used before; remember the first one.

    `explicit` says that somebody named this remote. One that a commit brought is not used unasked where another is trusted:
    whoever can commit could else send the team's bytes elsewhere by adding a remote and making it the default.

    Raises:
        RefusedError: kind `remote-changed`, with old and new; `remote-untrusted`: a new endpoint would get a bearer token.
    """
    now, trusted = _committed_address(config, name), _read(trust_file)
    if not now or _known(config, name, trusted) == now:
        return
    look = "`git log -p -- .gitmlog/config.toml`"
    if name in trusted or "url" not in now:
        before = _words(_known(config, name, trusted))
        raise RefusedError(
            f"the committed address of remote {name!r} changed from {before} to {_words(now)}: it was not used",
            kind="remote-changed",
            hint=f"see who changed it: {look}; to accept it here: `gitmlog remote trust {name}`",
        )
    if not (explicit or _is_own_default(config, name)) and (others := _others(config, name, trusted)):
        raise RefusedError(
            f"the committed remote {name!r} ({_words(now)}) is new here, where {', '.join(others)} was used: it was not used",
            kind="remote-changed",
            hint=f"see who added it: {look}; to accept it here: `gitmlog remote trust {name}`, or name it: --remote {name}",
        )
    check_bearer(config, name, f"see who chose it: {look}; to accept it here: `gitmlog remote trust {name}`")
    trust_remote(config, name, trust_file)


def is_trusted(config: Config, name: str, trust_file: Path) -> bool | None:
    """Whether the committed address of a remote is the one accepted here; None when none was asked about yet."""
    now, trusted = _committed_address(config, name), _read(trust_file)
    if not now or _known(config, name, trusted) == now:
        return True
    return False if name in trusted or "url" not in now else None


def is_first(config: Config, name: str, trust_file: Path) -> bool:
    """Whether no other remote was used here yet, or given to this clone."""
    return not _others(config, name, _read(trust_file))


def trust_remote(config: Config, name: str, trust_file: Path) -> None:
    """Accept the committed address of a remote on this machine."""
    trusted = _read(trust_file)
    hidden = {key: value for key, value in trusted.get(name, {}).items() if _is_private(config, name, key)}
    if address := hidden | _committed_address(config, name):
        trusted[name] = address
    else:
        trusted.pop(name, None)
    _write(trust_file, trusted)


def _committed_address(config: Config, name: str) -> dict[str, str]:
    """What of the address in force was committed: what this clone or this user set instead needs no trust."""
    options = config.remote_options(name)
    return {key: str(options[key][0]) for key in _ADDRESS if key in options and options[key][1] == "shared"}


def _known(config: Config, name: str, trusted: dict[str, dict[str, str]]) -> dict[str, str]:
    """The address that was accepted, without what is set privately now."""
    return {key: value for key, value in trusted.get(name, {}).items() if not _is_private(config, name, key)}


def _is_private(config: Config, name: str, key: str) -> bool:
    found = config.find(f"remote.{name}.{key}")
    return found is not None and found[1] != "shared"


def _is_own_default(config: Config, name: str) -> bool:
    found = config.find("core.remote")
    return found is not None and found[0] == name and found[1] != "shared"


def _others(config: Config, name: str, trusted: dict[str, dict[str, str]]) -> list[str]:
    """The remotes that this clone used, or was given, before."""
    own = {key.split(".")[1] for key in config.layers.get("local", {}) if key.startswith("remote.") and key.endswith(".url")}
    return sorted((own | trusted.keys()) - {name})


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
