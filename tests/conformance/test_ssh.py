"""What only SSH has: host keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitmlog.core.errors import RemoteError
from gitmlog.remote.base import RemoteSpec
from gitmlog.remote.open import open_remote
from tests import servers

from .places import QUICK, Side

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Ssh]:
    with servers.sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def spec(server: servers.Ssh, folder: Path, **options: str) -> RemoteSpec:
    url = f"ssh://{server.user}@127.0.0.1:{server.port}{folder}"
    return RemoteSpec("origin", url, {"key_file": str(server.key_file), **QUICK, **options})


def test_an_unknown_host_key_is_refused_by_default(server: servers.Ssh, tmp_path: Path, here: Side):
    with pytest.raises(RemoteError) as caught:
        open_remote(spec(server, tmp_path / "remote")).send(here.db, here.put(b"abc"))
    assert caught.value.kind == "remote-host-key"
    assert "known_hosts" in caught.value.hint
    assert not (tmp_path / "remote").exists()


def test_a_changed_host_key_is_refused(server: servers.Ssh, tmp_path: Path, here: Side):
    other = tmp_path / "known_hosts"
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    other.write_text(f"[127.0.0.1]:{server.port} {key}\n")
    with pytest.raises(RemoteError) as caught:
        open_remote(spec(server, tmp_path / "remote", known_hosts=str(other))).send(here.db, here.put(b"abc"))
    assert caught.value.kind == "remote-host-key"


def test_the_users_own_known_hosts_is_believed(server: servers.Ssh, tmp_path: Path, here: Side):
    home = Path.home() / ".ssh"
    home.mkdir()
    (home / "known_hosts").write_text(server.known_hosts.read_text())
    oids = here.put(b"abc")
    assert open_remote(spec(server, tmp_path / "remote")).send(here.db, oids).sent == set(oids)
