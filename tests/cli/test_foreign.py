"""Other people's repositories: nothing of theirs runs, is written to, or says where this user's credentials go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gitmlog.core.digest import hash_bytes
from tests.cli.test_hostile import snapshot
from tests.conftest import Done, Sandbox

OID = hash_bytes(b"model")


@pytest.fixture
def evil(sandbox: Sandbox, tmp_path: Path) -> Sandbox:
    """A repository whose git would run a command to fetch what it lacks."""
    sandbox.write("m", b"model")
    sandbox.write("n", b"other")
    assert sandbox.here("add", "m", "n").code == 0
    sandbox.commit()
    blob = sandbox.git("rev-parse", "HEAD:m.gitmlog").strip()
    (sandbox.root / f".git/objects/{blob[:2]}/{blob[2:]}").unlink()
    for key, value in {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": str(sandbox.root),
        "remote.origin.uploadpack": f'sh -c "touch {tmp_path}/PWNED; false"',
    }.items():
        sandbox.git("config", key, value)
    return sandbox


@pytest.fixture
def away(tmp_path: Path) -> Sandbox:
    """A folder in no repository."""
    (tmp_path / "away").mkdir()
    return Sandbox(tmp_path / "away")


def test_no_command_of_a_foreign_repository_runs(evil: Sandbox, away: Sandbox, tmp_path: Path) -> None:
    import gitmlog

    away.fails("get", str(evil.root), "m", "--out", "o", code=1, kind="damaged-repository")
    with pytest.raises(gitmlog.GitmlogError):
        gitmlog.open("m", repo=evil.root)
    assert not (tmp_path / "PWNED").exists()
    assert away.here("get", str(evil.root), "n").code == 0


def test_a_bare_foreign_repository_fetches_nothing_either(evil: Sandbox, away: Sandbox, tmp_path: Path) -> None:
    (evil.root / ".git").rename(tmp_path / "bare.git")
    evil.git("config", "core.bare", "true", cwd=tmp_path / "bare.git")
    assert away.here("get", str(tmp_path / "bare.git"), "m").code != 0
    assert not (tmp_path / "PWNED").exists()


def without_state(folder: Path) -> dict[str, bytes]:
    """SQLite tidies its files when this process collects its garbage."""
    return {name: data for name, data in snapshot(folder).items() if "/state.db" not in name}


def test_nothing_is_written_into_a_foreign_repository(sandbox: Sandbox, away: Sandbox, tmp_path: Path) -> None:
    sandbox.write("m", b"model")
    assert sandbox.here("add", "m").code == 0
    sandbox.commit()
    cache = sandbox.root / ".git/gitmlog/cache"
    (cache / "lock").unlink(missing_ok=True)
    (cache / "lock").symlink_to(tmp_path / "victim")
    path = cache / "objects" / OID[:2] / OID[2:]
    path.chmod(0o644)
    path.write_bytes(b"wrong")
    before = without_state(sandbox.root)
    error = away.fails("get", str(sandbox.root), "m", code=5, kind="corrupt")
    assert "quarantine" not in error["message"]
    assert without_state(sandbox.root) == before
    assert not (tmp_path / "victim").exists()


def test_the_private_configuration_of_a_foreign_repository_is_not_read(sandbox: Sandbox, away: Sandbox) -> None:
    sandbox.write("m", b"model")
    assert sandbox.here("add", "m").code == 0
    sandbox.commit()
    sandbox.write(".git/gitmlog/config.toml", "no TOML at all")
    assert away.here("get", str(sandbox.root), "m").code == 0
    assert (away.root / "m").read_bytes() == b"model"


def test_the_private_configuration_of_ones_own_is_read(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gitmlog

    sandbox.write("m", b"model")
    assert sandbox.here("add", "m").code == 0
    sandbox.commit()
    assert sandbox.here("remote", "add", "origin", str(tmp_path / "store"), "--local").code == 0
    assert sandbox.here("push").code == 0
    (sandbox.root / ".git/gitmlog/cache/objects" / OID[:2] / OID[2:]).unlink()
    monkeypatch.chdir(tmp_path)
    assert gitmlog.Repo.open(sandbox.root).get("m", out="got").read_bytes() == b"model"
    with pytest.raises(gitmlog.GitmlogError):
        gitmlog.get(sandbox.root, "m", out="got again")


def test_a_clone_that_get_makes_is_no_user_of_a_shared_cache(
    sandbox: Sandbox, away: Sandbox, tmp_path: Path, user_config: Path
) -> None:
    sandbox.write("m", b"model")
    assert sandbox.here("add", "m").code == 0
    assert sandbox.here("remote", "add", "origin", str(tmp_path / "store")).code == 0
    assert sandbox.here("push").code == 0
    sandbox.commit()
    assert sandbox.here("config", "--user", "cache.dir", str(tmp_path / "shared")).code == 0
    assert away.here("get", f"file://{sandbox.root}", "m").code == 0
    assert (tmp_path / "shared/shared").read_text() == ""


class Listener:
    """A web server that says "not found" and remembers the headers of every request."""

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                listener.requests.append({key.lower(): value for key, value in self.headers.items()})
                self.send_error(404)

            do_GET = do_HEAD = do_PUT = do_POST = _answer

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(5)


@pytest.fixture
def user_config(hermetic: Path) -> Path:
    return hermetic / ".config/gitmlog/config.toml"


def committed(box: Sandbox, text: str) -> None:
    """A repository as somebody pushed it: its remote is committed, nothing is cached."""
    box.write("m", b"model")
    assert box.here("add", "m").code == 0
    box.write(".gitmlog/config.toml", f"version = 1\n[remote.origin]\n{text}")
    box.commit()
    (box.root / ".git/gitmlog/cache/objects" / OID[:2] / OID[2:]).unlink()


@pytest.mark.parametrize("command", ["pull", "get"])
def test_a_token_of_the_users_goes_to_no_committed_address(
    sandbox: Sandbox, away: Sandbox, listener: Listener, user_config: Path, command: str
) -> None:
    committed(sandbox, f'url = "{listener.url}/x"\n')
    user_config.parent.mkdir(parents=True)
    user_config.write_text('[remote.origin]\ntoken = "secret"\n')

    def run() -> Done:
        return sandbox.here("pull") if command == "pull" else away.here("get", str(sandbox.root), "m")

    assert run().code != 0
    assert listener.requests
    assert not [each for each in listener.requests if "authorization" in each]
    user_config.write_text(f'[remote.origin]\nurl = "{listener.url}/x"\ntoken = "secret"\n')
    assert run().code != 0
    assert [each for each in listener.requests if each.get("authorization") == "Bearer secret"], "the user named the address"


def test_a_token_of_this_clone_goes_to_the_committed_address(sandbox: Sandbox, listener: Listener) -> None:
    committed(sandbox, f'url = "{listener.url}/x"\n')
    assert sandbox.here("config", "--local", "remote.origin.token", "secret").code == 0
    assert sandbox.here("pull").code != 0
    assert [each for each in listener.requests if each.get("authorization") == "Bearer secret"]


def test_each_credential_of_the_users_is_dropped() -> None:
    from gitmlog.repo.config import Config
    from gitmlog.repo.remotes import remote_spec
    from gitmlog.repo.schema import CREDENTIALS, Value

    mine: dict[str, Value] = {f"remote.o.{key}": "secret" for key in CREDENTIALS}
    mine["remote.o.retries"] = 3
    addresses: list[dict[str, Value]] = [{"remote.o.url": "s3://b"}, {"remote.o.endpoint": "https://e.example"}]
    for address in addresses:
        own: dict[str, Value] = {} if "remote.o.url" in address else {"remote.o.url": "s3://b"}
        spec = remote_spec(Config({"shared": address, "user": mine | own}), "o")
        assert "secret" not in spec.options.values()
        assert spec.options["retries"] == 3
        spec = remote_spec(Config({"shared": address, "user": mine | address | own}), "o")
        assert spec.options.keys() > CREDENTIALS
        spec = remote_spec(Config({"shared": address, "local": mine | own}), "o")
        assert spec.options.keys() > CREDENTIALS


@pytest.mark.parametrize("url", ["az://models/x", "gs://models/x"])
def test_a_committed_endpoint_gets_no_token_before_it_is_accepted(
    sandbox: Sandbox, away: Sandbox, listener: Listener, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_TOKEN", "secret")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "models")
    committed(sandbox, f'url = "{url}"\nendpoint = "{listener.url}"\n')
    for command in (["pull"], ["push"], ["pull", "--remote", "origin"]):
        error = sandbox.fails(*command, code=6, kind="remote-untrusted")
        assert "127.0.0.1" in error["message"]
        assert "gitmlog remote trust origin" in error["hint"]
    away.fails("get", str(sandbox.root), "m", code=6, kind="remote-untrusted")
    assert listener.requests == []
    assert sandbox.here("config", "--local", "remote.origin.retries", "1").code == 0
    assert sandbox.here("remote", "trust", "origin").code == 0
    done = sandbox.here("pull", "--json")
    assert done.code != 0
    assert "remote-untrusted" not in done.err
    assert listener.requests


def test_an_endpoint_that_was_added_here_is_accepted(sandbox: Sandbox, listener: Listener) -> None:
    from gitmlog.repo.remotes import check_trust
    from gitmlog.repo.workspace import Workspace

    assert sandbox.here("remote", "add", "origin", "az://models/x", "--endpoint", listener.url).code == 0
    ws = Workspace.open(sandbox.root)
    check_trust(ws.config, "origin", ws.trust_file)


@pytest.mark.parametrize(
    ("endpoint", "keys", "refused"),
    [
        ("http://s3.evil.example", (), True),
        ("http://s3.evil.example", ("access_key", "session_token"), True),
        ("http://s3.evil.example", ("access_key",), False),
        ("http://127.0.0.1:1", (), False),
        ("https://s3.evil.example", (), False),
    ],
)
def test_session_tokens_go_to_no_committed_address_in_the_clear(
    sandbox: Sandbox, endpoint: str, keys: tuple[str, ...], refused: bool
) -> None:
    from gitmlog.core.errors import RefusedError
    from gitmlog.repo.remotes import check_trust
    from gitmlog.repo.workspace import Workspace

    for key in keys:
        assert sandbox.here("config", "--local", f"remote.origin.{key}", "x").code == 0
    committed(sandbox, f'url = "s3://models/x"\nendpoint = "{endpoint}"\n')
    ws = Workspace.open(sandbox.root)
    if not refused:
        check_trust(ws.config, "origin", ws.trust_file)
        return
    with pytest.raises(RefusedError) as found:
        check_trust(ws.config, "origin", ws.trust_file)
    assert found.value.kind == "remote-untrusted"


def test_a_region_is_no_address(sandbox: Sandbox) -> None:
    sandbox.write(".gitmlog/config.toml", 'version = 1\n[remote.origin]\nurl = "s3://m"\nregion = "x.evil.example/"\n')
    sandbox.fails("remote", "list", code=1, kind="bad-config")
