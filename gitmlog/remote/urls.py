"""What a remote's URL may be (spec: remote.md, URL)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote

from gitmlog.core.errors import ConfigError
from gitmlog.core.paths import display

MAX_URL = 2048
CLOUDS = ("s3", "gs", "az")
SCHEMES = ("file", "ssh", *CLOUDS, "http", "https")

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)")
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,221}")
_AUTHORITY = re.compile(
    rf"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]*)@)?(?P<host>{_NAME}|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{{1,5}}))?"
)


@dataclass(frozen=True)
class Location:
    """A checked URL.

    Attributes:
        scheme: one of SCHEMES; `file` for a plain path.
        host: the server, or the bucket, or "" for a folder.
        path: absolute for a folder; below the bucket or server otherwise, without "/" at either end.
        port: 0 when the URL names none.
        user: "" when the URL names none.
        home: ssh: whether `path` begins at the home folder, not at "/".
    """

    scheme: str
    host: str
    path: str
    port: int = 0
    user: str = ""
    home: bool = False


def parse_url(url: str) -> Location:
    """Check a remote's URL and take it apart.

    Raises:
        ConfigError: kind `bad-url`.
    """
    _check_text(url)
    if url.startswith("/"):
        return Location("file", "", _folder(url, url))
    found = _SCHEME.fullmatch(url)
    if not found or found[1] not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise _bad(url, "is no URL that gitmlog knows", hint=f"use {known}, or an absolute path")
    scheme, rest = found[1], found[2]
    if scheme == "file":
        return Location("file", "", _folder(_decoded(url, rest), url))
    authority, _, path = rest.partition("/")
    if scheme in CLOUDS:
        return Location(scheme, _bucket(url, authority), _below(url, path))
    if scheme == "ssh":
        return _ssh(url, authority, _decoded(url, path))
    return _web(url, scheme, authority, path)


def check_endpoint(endpoint: str) -> str:
    """An endpoint without its trailing "/"; raises ConfigError (kind `bad-url`)."""
    _check_text(endpoint)
    found = _SCHEME.fullmatch(endpoint)
    if not found or found[1] not in ("http", "https"):
        raise _bad(endpoint, "is no endpoint", hint="an endpoint begins with https:// or http://")
    authority, _, path = found[2].partition("/")
    _web(endpoint, found[1], authority, path)
    return endpoint.rstrip("/")


def is_this_machine(host: str) -> bool:
    """Whether `host` is a loopback address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _check_text(url: str) -> None:
    if not url or len(url) > MAX_URL or _CONTROL.search(url):
        raise _bad(url[:80], f"is empty, longer than {MAX_URL} characters, or holds a control character")


def _bad(url: str, problem: str, *, hint: str = "see `gitmlog help remote`") -> ConfigError:
    return ConfigError(f"{display(_without_secret(url))} {problem}", kind="bad-url", hint=hint)


def _without_secret(url: str) -> str:
    return re.sub(r"(://[^/@]*?):[^/]*@", r"\1:…@", url.partition("?")[0])


def _decoded(url: str, text: str) -> str:
    plain = unquote(text, errors="surrogateescape")
    if _CONTROL.search(plain):
        raise _bad(url, "holds an encoded control character")
    return plain


def _check_names(url: str, path: str) -> None:
    below = path.removesuffix("/")
    names = below.split("/") if below else []
    if any(name in ("", ".", "..") for name in names):
        raise _bad(url, "has an empty name, '.' or '..' in its path")


def _folder(path: str, url: str) -> str:
    if not path.startswith("/"):
        raise _bad(url, "names no absolute folder", hint="write file:///folder, with three slashes")
    _check_names(url, path[1:])
    return path.removesuffix("/") or "/"


def _below(url: str, path: str) -> str:
    _check_names(url, path)
    return path.strip("/")


def _bucket(url: str, authority: str) -> str:
    if "@" in authority:
        raise _bad(url, "holds a user or a password", hint="credentials belong to `gitmlog config --local remote.NAME.…`")
    if not _BUCKET.fullmatch(authority):
        raise _bad(url, "names no bucket, or one with a character that no bucket's name has")
    return authority


def _authority(url: str, authority: str) -> tuple[str, str, int]:
    user, at, _ = authority.rpartition("@")
    if at and ":" in user:
        hint = "take it out of the URL; `gitmlog config --local` keeps credentials on this machine only"
        raise _bad(url, "holds a password", hint=hint)
    found = _AUTHORITY.fullmatch(authority)
    port = int(found["port"] or 0) if found else -1
    if not found or not 0 <= port <= 65535 or (found["port"] and port == 0):
        raise _bad(url, "names no host, or one that cannot be")
    if found["ipv6"]:
        try:
            ipaddress.IPv6Address(found["ipv6"])
        except ValueError:
            raise _bad(url, "names no host, or one that cannot be") from None
    return found["user"] or "", found["ipv6"] or found["host"], port


def _ssh(url: str, authority: str, path: str) -> Location:
    user, host, port = _authority(url, authority)
    home = path == "~" or path.startswith("~/")
    below = _below(url, path[2:] if home else path)
    if not below:
        raise _bad(url, "names no folder on the server")
    return Location("ssh", host, below, port, user, home)


def _web(url: str, scheme: str, authority: str, path: str) -> Location:
    user, host, port = _authority(url, authority)
    if user:
        raise _bad(url, "holds a user", hint="for a bearer token: `gitmlog config --local remote.NAME.token …`")
    if "?" in path or "#" in path:
        raise _bad(url, "holds a query or a fragment")
    return Location(scheme, host, _below(url, _decoded(url, path)), port)
