"""From a remote's configuration to the remote. What a scheme needs is imported only when it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from gitmlog.remote.base import Remote, RemoteSpec
from gitmlog.remote.errors import missing_extra
from gitmlog.remote.urls import Location, parse_url

if TYPE_CHECKING:
    from gitmlog.remote.filesystem import RemoteFileSystem

Opener: TypeAlias = "Callable[[RemoteSpec, Location], RemoteFileSystem]"

_EXTRAS = {"s3": "s3", "gs": "gs", "az": "azure", "ssh": "ssh", "http": "http", "https": "http"}


def open_remote(spec: RemoteSpec) -> Remote:
    """The remote that `spec` describes. Nothing is asked of it before its first use.

    Raises:
        ConfigError: kind `bad-url`.
        RemoteError: kind `missing-extra`.
    """
    location = parse_url(spec.url)
    from gitmlog.remote.objects import ObjectRemote

    try:
        fs = _opener(location, spec)(spec, location)
    except ImportError as error:
        raise missing_extra(spec.name, _EXTRAS.get(location.scheme, "all")) from error
    return ObjectRemote(spec, fs, _root(location))


def _opener(location: Location, spec: RemoteSpec) -> Opener:
    if location.scheme == "file":
        return _open_folder
    if location.scheme == "ssh":
        from gitmlog.remote import ssh

        return ssh.open_ssh
    if location.scheme == "gs" and "endpoint" in spec.options:
        from gitmlog.remote import emulated

        return emulated.open_emulated_gs
    from gitmlog.remote import cloud

    return {"s3": cloud.open_s3, "gs": cloud.open_gs, "az": cloud.open_az}.get(location.scheme, cloud.open_web)


def _open_folder(spec: RemoteSpec, location: Location) -> RemoteFileSystem:
    from gitmlog.remote.filesystem import DEFAULT_JOBS
    from gitmlog.remote.local import FolderFileSystem

    return FolderFileSystem(spec.name, location.path, jobs=int(spec.options.get("jobs", DEFAULT_JOBS)))


def _root(location: Location) -> str:
    if location.scheme == "file":
        return location.path
    if location.scheme == "ssh":
        return location.path if location.home else f"/{location.path}"
    port = f":{location.port}" if location.port else ""
    host = f"[{location.host}]" if ":" in location.host else location.host
    return f"{host}{port}/{location.path}".rstrip("/")
