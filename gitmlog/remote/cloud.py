"""Buckets: S3, GCS and Azure by obstore, each with its own chain of credentials; and web servers, to read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from gitmlog.core.errors import ConfigError
from gitmlog.remote.base import RemoteSpec
from gitmlog.remote.errors import plain_error, remote_errors, wrong_size
from gitmlog.remote.filesystem import DEFAULT_JOBS, RemoteFileSystem, Report, Upload
from gitmlog.remote.layout import object_of
from gitmlog.remote.urls import Location, check_endpoint, is_this_machine

_CONNECT = 10
_UPLOAD_FACTOR = 5

_S3 = {
    "access_key": "access_key_id",
    "secret_key": "secret_access_key",
    "session_token": "session_token",
    "region": "region",
}
_GS = {"credentials": "service_account"}
_AZ = {"account": "account_name", "account_key": "account_key", "sas_token": "sas_key"}


class BucketFileSystem(RemoteFileSystem):
    """A bucket that obstore speaks to."""

    def __init__(self, spec: RemoteSpec, protocol: str, settings: dict[str, Any], *, ranges: bool = True) -> None:
        from gitmlog.remote.store import ObjectStore

        self.protocol = protocol
        store = ObjectStore(protocol, settings, ranges=ranges)
        super().__init__(spec.name, store, jobs=int(spec.options.get("jobs", DEFAULT_JOBS)))
        self.store = store

    def size_of(self, path: str) -> int | None:
        with remote_errors(self.remote):
            return self.store.size_of(path)

    def list_sizes(self, folder: str, limit: int = 0) -> dict[str, int]:
        with remote_errors(self.remote):
            return self.store.list_sizes(folder, limit)

    def send_one(self, upload: Upload, report: Report) -> None:
        with remote_errors(self.remote):
            self.store.send(upload, report)

    def stream(self, path: str) -> Iterator[bytes]:
        with remote_errors(self.remote):
            yield from self.store.stream(path)

    def read_small(self, path: str, limit: int) -> bytes:
        with remote_errors(self.remote):
            return self.store.read(path)[:limit]

    def create_small(self, path: str, data: bytes) -> None:
        with remote_errors(self.remote):
            self.store.create(path, data)

    def get_file(self, from_info: str, to_info: str, callback: Any = None, **kwargs: Any) -> None:
        """Fetch one object; a size that was not promised is refused."""
        expected = self.promised.get(from_info)
        report = callback.relative_update if callback is not None else lambda _: None
        with remote_errors(self.remote):
            found = self.store.fetch(from_info, to_info, expected, report)
        if expected is not None and found != expected:
            raise wrong_size(object_of(from_info), found, expected)


class WebFileSystem(BucketFileSystem):
    """A folder remote behind a web server. Nothing can be sent, nothing listed, and not every server knows ranges."""

    can_list = False
    read_only = True

    def send_one(self, upload: Upload, report: Report) -> None:
        raise plain_error(self.remote, "remote-read-only")

    def create_small(self, path: str, data: bytes) -> None:
        raise plain_error(self.remote, "remote-read-only")


def open_s3(spec: RemoteSpec, _location: Location) -> RemoteFileSystem:
    """S3, or a server that speaks its protocol (`endpoint`)."""
    config = _given(spec, _S3)
    _check_keys(spec)
    settings = _settings(spec, config)
    if "access_key_id" not in config:
        settings["credential_provider"] = _aws_credentials(spec)
    return BucketFileSystem(spec, "s3", settings)


def open_gs(spec: RemoteSpec, _location: Location) -> RemoteFileSystem:
    """Google Cloud Storage."""
    return BucketFileSystem(spec, "gs", _settings(spec, _given(spec, _GS)))


def open_az(spec: RemoteSpec, _location: Location) -> RemoteFileSystem:
    """Azure Blob Storage."""
    return BucketFileSystem(spec, "az", _settings(spec, _given(spec, _AZ)))


def open_web(spec: RemoteSpec, location: Location) -> RemoteFileSystem:
    """A web server, read-only."""
    settings = _settings(spec, None)
    settings["client_options"]["allow_http"] = location.scheme == "http"
    if token := spec.options.get("token"):
        if location.scheme == "http" and not is_this_machine(location.host):
            message = f"remote {spec.name} would send its token unencrypted"
            raise ConfigError(message, kind="bad-url", hint="use https://")
        settings["client_options"]["default_headers"] = {"Authorization": f"Bearer {token}"}
    return WebFileSystem(spec, location.scheme, settings, ranges=False)


def _check_keys(spec: RemoteSpec) -> None:
    """Half of the credentials is a mistake, and never a reason to look for others."""
    given = {name for name in ("access_key", "secret_key", "session_token") if name in spec.options}
    absent = [name for name in ("access_key", "secret_key") if given and name not in given]
    if absent:
        message = f"remote {spec.name} has {' and '.join(sorted(given))}, and no {' and no '.join(absent)}"
        raise ConfigError(message, hint=f"`gitmlog config --local remote.{spec.name}.{absent[0]} …`")


def _given(spec: RemoteSpec, names: dict[str, str]) -> dict[str, Any]:
    return {theirs: spec.options[ours] for ours, theirs in names.items() if ours in spec.options}


def _settings(spec: RemoteSpec, config: dict[str, Any] | None) -> dict[str, Any]:
    timeout = int(spec.options.get("timeout", 60))
    plain = False
    if config is not None and "endpoint" in spec.options:
        config["endpoint"] = check_endpoint(str(spec.options["endpoint"]))
        plain = config["endpoint"].startswith("http://")
    client: dict[str, Any] = {
        "allow_http": plain,
        "connect_timeout": f"{min(_CONNECT, timeout)}s",
        "user_agent": "gitmlog",
        "pool_max_idle_per_host": "64",
    }
    return {
        "config": config,
        "client_options": {**client, "timeout": "24h", "read_timeout": f"{timeout}s"},
        # a read timeout would also count the time that a slow line needs to take a part
        "upload_client_options": {**client, "timeout": f"{timeout * _UPLOAD_FACTOR}s"},
        "retry_config": {
            "max_retries": max(0, int(spec.options.get("retries", 5)) - 1),
            "retry_timeout": timedelta(minutes=4),
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=10), "base": 2},
        },
    }


def _aws_credentials(spec: RemoteSpec) -> Any:
    """boto3 reads ~/.aws (profiles, single sign-on), obstore does not; without such files obstore's own chain is quicker."""
    profile = spec.options.get("profile")
    folder = Path.home() / ".aws"
    if not profile and not any((folder / name).exists() for name in ("credentials", "config")):
        return None
    try:
        import boto3.session  # type: ignore[import-untyped]
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        if not profile:
            return None
        hint = "python -m pip install boto3, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        message = f"remote {spec.name} names a profile of ~/.aws, which only boto3 can read"
        raise ConfigError(message, kind="missing-extra", hint=hint) from None
    with remote_errors(spec.name):
        session = boto3.session.Session(profile_name=str(profile) if profile else None)
        return Boto3CredentialProvider(session) if session.get_credentials() else None
