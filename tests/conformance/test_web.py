"""A folder remote behind a web server: everything can be read, nothing written."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitmlog.core.digest import hash_bytes
from gitmlog.core.errors import ConfigError, RemoteError
from gitmlog.remote.base import RemoteSpec
from gitmlog.remote.open import open_remote
from tests import servers

from .places import QUICK, Side

MIB = 1 << 20


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    folder = tmp_path_factory.mktemp("served")
    with servers.web(folder, folder) as port:
        yield folder, port


@pytest.fixture
def shared(served: tuple[Path, int], here: Side):
    """A folder remote with three objects, its web URL's spec, and the objects."""
    folder, port = served
    name = f"{servers.fresh_prefix()} ü"
    oids = here.put(b"", b"abc", os.urandom(9 * MIB))
    open_remote(RemoteSpec("disk", str(folder / name))).send(here.db, oids)
    return folder / name, RemoteSpec("web", f"http://127.0.0.1:{port}/{urllib.parse.quote(name)}", QUICK), oids


def test_objects_are_read(shared, there: Side):
    _, spec, oids = shared
    remote = open_remote(spec)
    assert remote.read_only
    missing = hash_bytes(os.urandom(8))
    assert remote.exist([*oids, missing]) == set(oids)
    assert remote.verify([*oids, missing]) == {**dict.fromkeys(oids, "ok"), missing: "missing"}
    result = remote.receive(there.db, [*oids, missing])
    assert (result.sent, result.missing) == (set(oids), {missing})
    assert there.has_all(oids)


def test_damaged_and_truncated_objects_are_refused(shared, there: Side):
    folder, spec, oids = shared
    path = folder / "objects" / oids[1][:2] / oids[1][2:]
    path.unlink()
    path.write_bytes(b"xyz")
    large = folder / "objects" / oids[2][:2] / oids[2][2:]
    large.chmod(0o644)
    os.truncate(large, MIB)
    result = open_remote(spec).receive(there.db, oids, sizes={oids[2]: 9 * MIB})
    assert (result.sent, set(result.failed)) == ({oids[0]}, set(oids[1:]))


def test_nothing_is_written(shared, here: Side):
    _, spec, _ = shared
    remote = open_remote(spec)
    for attempt in (lambda: remote.send(here.db, here.put(b"new")), lambda: remote.replace(here.db, here.put(b"new"))):
        with pytest.raises(RemoteError) as caught:
            attempt()
        assert caught.value.kind == "remote-read-only"


def test_a_cut_download_is_completed(shared, there: Side):
    _, spec, oids = shared
    port = int(spec.url.split(":")[2].split("/")[0])
    with servers.faults(port) as proxy:
        proxy.cut_down, proxy.times = 2 * MIB, 1
        url = spec.url.replace(str(port), str(proxy.port))
        assert open_remote(RemoteSpec("web", url, QUICK)).receive(there.db, oids).sent == set(oids)
        assert proxy.broken == 1


def test_a_token_opens(tmp_path: Path, here: Side, there: Side):
    oids = here.put(b"abc")
    open_remote(RemoteSpec("disk", str(tmp_path / "served"))).send(here.db, oids)
    with servers.web(tmp_path / "server", tmp_path / "served", token="t0ken") as port:
        spec = RemoteSpec("web", f"http://127.0.0.1:{port}", QUICK)
        with pytest.raises(RemoteError) as caught:
            open_remote(spec).exist(oids)
        assert caught.value.kind == "remote-auth"
        with_token = RemoteSpec("web", spec.url, {**QUICK, "token": "t0ken"})
        assert open_remote(with_token).receive(there.db, oids).sent == set(oids)


def test_a_token_is_not_sent_unencrypted():
    with pytest.raises(ConfigError) as caught:
        open_remote(RemoteSpec("web", "http://host.example/models", {"token": "t0ken"}))
    assert caught.value.kind == "bad-url"
    assert "t0ken" not in str(caught.value)
