"""Every kind of remote as a `Place`: where the suite puts objects, and how it looks and meddles behind gitmlog's back."""

from __future__ import annotations

import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gitmlog.core.digest import ObjectId, hash_bytes
from gitmlog.remote.base import Remote, RemoteSpec
from gitmlog.remote.open import open_remote
from gitmlog.store.cache import Cache
from gitmlog.store.odb import CacheDB
from tests import servers

QUICK = {"timeout": 5, "retries": 3}


class Raw:
    """The server's own view of what a remote holds; keys are relative to the remote's URL."""

    def write(self, key: str, data: bytes) -> None:
        raise NotImplementedError

    def read(self, key: str) -> bytes:
        raise NotImplementedError

    def keys(self) -> set[str]:
        raise NotImplementedError


class RawFolder(Raw):
    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, key, data):
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(data)

    def read(self, key):
        return (self.root / key).read_bytes()

    def keys(self):
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}


class RawStore(Raw):
    def __init__(self, store: Any, prefix: str) -> None:
        self.store, self.prefix = store, prefix.strip("/")

    def write(self, key, data):
        self.store.put(f"{self.prefix}/{key}", data)

    def read(self, key):
        return bytes(self.store.get(f"{self.prefix}/{key}").bytes())

    def keys(self):
        return {entry["path"].removeprefix(f"{self.prefix}/") for entry in self.store.list(self.prefix).collect()}


class RawGcs(Raw):
    def __init__(self, port: int, prefix: str) -> None:
        self.url, self.prefix = f"http://127.0.0.1:{port}", prefix.strip("/")

    def write(self, key, data):
        name = urllib.parse.quote(f"{self.prefix}/{key}", safe="")
        url = f"{self.url}/upload/storage/v1/b/{servers.BUCKET}/o?uploadType=media&name={name}"
        urllib.request.urlopen(urllib.request.Request(url, data, method="POST"), timeout=10).close()

    def read(self, key):
        name = urllib.parse.quote(f"{self.prefix}/{key}", safe="")
        with urllib.request.urlopen(f"{self.url}/storage/v1/b/{servers.BUCKET}/o/{name}?alt=media", timeout=10) as answer:
            return answer.read()

    def keys(self):
        import json

        prefix = urllib.parse.quote(self.prefix + "/", safe="")
        with urllib.request.urlopen(f"{self.url}/storage/v1/b/{servers.BUCKET}/o?prefix={prefix}", timeout=10) as answer:
            items = json.load(answer).get("items", [])
        return {item["name"].removeprefix(f"{self.prefix}/") for item in items}


@dataclass(frozen=True)
class Place:
    """One remote that is empty at the start of a test.

    Attributes:
        spec: opens it.
        raw: looks behind it.
        port: of its server; 0 for a folder.
        at: the same remote by way of another port (a proxy's).
        wrong: the same remote with credentials that are not valid, where the server checks any.
        vanished: a bucket or folder that is not there.
        http: whether its protocol is HTTP.
    """

    kind: str
    spec: RemoteSpec
    raw: Raw
    port: int = 0
    at: Callable[[int], RemoteSpec] | None = None
    wrong: RemoteSpec | None = None
    vanished: RemoteSpec | None = None
    http: bool = True

    def open(self) -> Remote:
        return open_remote(self.spec)

    @staticmethod
    def key(oid: ObjectId) -> str:
        return f"objects/{oid[:2]}/{oid[2:]}"


PlaceMaker = Callable[[str], Place]


def spec_with(spec: RemoteSpec, **options: Any) -> RemoteSpec:
    return replace(spec, options={**spec.options, **options})


def _folder(scheme: str, tmp: Path) -> PlaceMaker:
    def make(prefix: str) -> Place:
        root = tmp / "folder" / prefix.strip("/")
        root.parent.mkdir(parents=True, exist_ok=True)
        quoted = urllib.parse.quote(str(tmp / "folder")) + "/" + urllib.parse.quote(prefix)
        url = f"file://{quoted}" if scheme == "file" else f"{tmp}/folder/{prefix}"
        vanished = RemoteSpec("origin", str(tmp / "no" / "such" / "folder"))
        return Place(scheme, RemoteSpec("origin", url), RawFolder(root), vanished=vanished, http=False)

    return make


def _s3(kind: str, port: int) -> PlaceMaker:
    def make(prefix: str) -> Place:
        def at(other: int, bucket: str = servers.BUCKET, secret: str = servers.SECRET) -> RemoteSpec:
            options = {"endpoint": f"http://127.0.0.1:{other}", "access_key": servers.ACCESS, "secret_key": secret, **QUICK}
            return RemoteSpec("origin", f"s3://{bucket}/{prefix}", options)

        raw = RawStore(servers.s3_store(port, servers.BUCKET), prefix)
        wrong = at(port, secret="not-the-secret") if kind == "s3-seaweedfs" else None
        return Place(kind, at(port), raw, port, at, wrong, at(port, bucket="no-such-bucket"))

    return make


def _gs(port: int) -> PlaceMaker:
    def make(prefix: str) -> Place:
        def at(other: int, bucket: str = servers.BUCKET) -> RemoteSpec:
            return RemoteSpec("origin", f"gs://{bucket}/{prefix}", {"endpoint": f"http://127.0.0.1:{other}", **QUICK})

        return Place("gs", at(port), RawGcs(port, prefix), port, at, None, at(port, bucket="no-such-bucket"))

    return make


def _az(port: int) -> PlaceMaker:
    from obstore.store import AzureStore

    def make(prefix: str) -> Place:
        def at(other: int, container: str = servers.BUCKET, key: str = servers.AZURE_KEY) -> RemoteSpec:
            endpoint = f"http://127.0.0.1:{other}/{servers.AZURE_ACCOUNT}"
            options = {"endpoint": endpoint, "account": servers.AZURE_ACCOUNT, "account_key": key, **QUICK}
            return RemoteSpec("origin", f"az://{container}/{prefix}", options)

        store = AzureStore(
            servers.BUCKET,
            account_name=servers.AZURE_ACCOUNT,
            account_key=servers.AZURE_KEY,
            endpoint=f"http://127.0.0.1:{port}/{servers.AZURE_ACCOUNT}",
            client_options={"allow_http": True},
        )
        wrong = at(port, key="bm90LXRoZS1rZXktYXQtYWxs")
        return Place("az", at(port), RawStore(store, prefix), port, at, wrong, at(port, container="no-such-container"))

    return make


def _ssh(server: servers.Ssh, tmp: Path) -> PlaceMaker:
    def make(prefix: str) -> Place:
        root = tmp / "ssh" / prefix.strip("/")
        root.parent.mkdir(parents=True, exist_ok=True)

        def at(other: int, path: Path | None = None, key: Path = server.key_file) -> RemoteSpec:
            known = tmp / f"known_hosts-{other}"
            known.write_text(server.known_hosts.read_text().replace(f":{server.port} ", f":{other} "))
            quoted = urllib.parse.quote(str(path or tmp / "ssh" / "x")[:-2] + "/" if path is None else str(path))
            url = f"ssh://{server.user}@127.0.0.1:{other}{quoted}{'' if path else urllib.parse.quote(prefix)}"
            return RemoteSpec("origin", url, {"key_file": str(key), "known_hosts": str(known), **QUICK})

        wrong = at(server.port, key=server.other_key)
        vanished = at(server.port, tmp / "no" / "such" / "folder")
        return Place("ssh", at(server.port), RawFolder(root), server.port, at, wrong, vanished, http=False)

    return make


@contextmanager
def place_maker(kind: str, tmp: Path) -> Iterator[PlaceMaker]:
    if kind in ("folder", "file"):
        yield _folder(kind, tmp)
    elif kind == "s3-seaweedfs":
        with servers.seaweedfs(tmp / "server") as port:
            yield _s3(kind, port)
    elif kind == "s3-moto":
        with servers.moto(tmp / "server") as port:
            yield _s3(kind, port)
    elif kind == "gs":
        with servers.fake_gcs(tmp / "server") as port:
            yield _gs(port)
    elif kind == "az":
        with servers.azurite(tmp / "server") as port:
            yield _az(port)
    else:
        with servers.sshd(tmp / "server") as server:
            yield _ssh(server, tmp)


@dataclass
class Side:
    """A cache and dvc-data's view of it."""

    cache: Cache
    db: CacheDB

    def put(self, *contents: bytes) -> list[ObjectId]:
        with self.cache.writing() as writer:
            return [writer.put(content) for content in contents]

    def damage(self, oid: ObjectId, data: bytes) -> None:
        path = self.cache.path_of(oid)
        path.unlink()
        path.write_bytes(data)

    def has_all(self, oids: list[ObjectId]) -> bool:
        return all(self.cache.has(oid) and hash_bytes(self.cache.path_of(oid).read_bytes()) == oid for oid in oids)
