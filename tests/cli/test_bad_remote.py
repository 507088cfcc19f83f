"""No remote, a wrong one, a damaged one, one that somebody else changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Sandbox


def set_remotes(sandbox: Sandbox, **urls: object) -> None:
    text = "".join(f'[remote.{name}]\nurl = "{url}"\n' for name, url in urls.items())
    (sandbox.root / ".git/gitmlog").mkdir(exist_ok=True)
    (sandbox.root / ".git/gitmlog/config.toml").write_text(text)


@pytest.fixture
def tracked(sandbox: Sandbox) -> Sandbox:
    sandbox.write("m", "model")
    sandbox.write("data/a", "a")
    assert sandbox.here("add", "m", "data").code == 0
    sandbox.commit()
    return sandbox


@pytest.fixture
def clone(tracked: Sandbox, tmp_path: Path) -> Sandbox:
    """Pushed to `remote`, and cloned."""
    set_remotes(tracked, origin=tmp_path / "remote")
    assert tracked.here("push").code == 0
    tracked.git("clone", "-q", str(tracked.root), str(tmp_path / "clone"))
    made = Sandbox(tmp_path / "clone")
    set_remotes(made, origin=tmp_path / "remote")
    return made


TRANSFERS = ["push", "pull", "fetch"]


@pytest.mark.parametrize("command", TRANSFERS)
def test_no_remote(tracked: Sandbox, command: str) -> None:
    assert "gitmlog remote add" in tracked.fails(command, code=3, kind="no-remote")["hint"]


@pytest.mark.parametrize("command", TRANSFERS)
def test_unknown_remote(tracked: Sandbox, command: str, tmp_path: Path) -> None:
    set_remotes(tracked, origin=tmp_path / "remote")
    assert "origin" in tracked.fails(command, "--remote", "backup", code=3, kind="no-remote")["hint"]


@pytest.mark.parametrize("command", TRANSFERS)
def test_two_remotes_and_no_default(tracked: Sandbox, command: str, tmp_path: Path) -> None:
    set_remotes(tracked, one=tmp_path / "one", two=tmp_path / "two")
    assert "remote default" in tracked.fails(command, code=3, kind="which-remote")["hint"]


def test_push_to_a_path_that_is_not_mounted(tracked: Sandbox, tmp_path: Path) -> None:
    set_remotes(tracked, origin=tmp_path / "not/mounted")
    assert "mount" in tracked.fails("push", code=1, kind="remote-missing")["hint"]
    assert not (tmp_path / "not").exists()


def test_pull_from_a_path_that_is_not_mounted(clone: Sandbox, tmp_path: Path) -> None:
    set_remotes(clone, origin=tmp_path / "not/mounted")
    clone.fails("pull", code=1, kind="remote-missing")
    assert not (clone.root / "m").exists()


def test_pull_from_an_empty_folder(clone: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    set_remotes(clone, origin=tmp_path / "empty")
    assert "push" in clone.fails("pull", code=5, kind="missing-data")["hint"]
    assert not (clone.root / "m").exists()


@pytest.mark.parametrize("command", ["push", "pull"])
def test_remote_that_is_a_file(clone: Sandbox, tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("precious")
    set_remotes(clone, origin=tmp_path / "file")
    done = clone.here(command, "--json")
    assert done.code in (1, 5), done
    assert "Traceback" not in done.err
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize(
    "url", ["gopher://x/y", "s3://", "ssh://", "https://user:secret@host/x", "-oProxyCommand=sh", "ext::sh -c id"]
)
def test_url_that_is_none(tracked: Sandbox, url: str) -> None:
    set_remotes(tracked, origin=url)
    done = tracked.here("push", "--json")
    assert done.code in (1, 2, 3, 6), done
    assert "Traceback" not in done.err
    assert "secret" not in done.err


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_damaged_object_on_the_remote(clone: Sandbox, tmp_path: Path, damage: str) -> None:
    for path in (tmp_path / "remote/objects").glob("??/*"):
        if path.read_bytes() == b"model":
            path.chmod(0o644)
            path.write_bytes({"flip": b"modem", "truncate": b"mod", "empty": b""}[damage])
    done = clone.here("pull", "--json")
    assert done.code == 5, done
    assert not (clone.root / "m").exists()
    assert [
        path.read_bytes() for path in (clone.root / ".git/gitmlog/cache/objects").glob("??/*") if path.stat().st_size < 6
    ] in (
        [],
        [b"a"],
    )


def test_object_missing_on_the_remote(clone: Sandbox, tmp_path: Path) -> None:
    for path in (tmp_path / "remote/objects").glob("??/*"):
        if path.read_bytes() == b"a":
            path.unlink()
    error = clone.fails("pull", code=5, kind="missing-data")
    assert "data/a" in error["message"]
    assert clone.here("pull", "m").code == 0
    assert (clone.root / "m").read_text() == "model"


def test_half_an_upload_is_no_object(clone: Sandbox, tmp_path: Path) -> None:
    """What a killed push left under a temporary name is not seen."""
    (tmp_path / "remote/tmp").mkdir(exist_ok=True)
    (tmp_path / "remote/tmp" / ("a" * 32)).write_bytes(b"half")
    assert clone.here("pull").code == 0
    assert clone.here("push").code == 0


def test_remote_of_a_newer_version(clone: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "remote/gitmlog-remote.toml").write_text('version = 2\nlayout = "packs"\n')
    assert "upgrade" in clone.fails("pull", code=1, kind="newer-version")["hint"]


def test_folder_of_somebody_elses(clone: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "remote/gitmlog-remote.toml").write_text("hello\n")
    clone.fails("pull", code=1, kind="bad-remote")


class TestChangedBySomebody:
    @pytest.fixture
    def changed(self, tracked: Sandbox, tmp_path: Path) -> Sandbox:
        assert tracked.here("remote", "add", "origin", str(tmp_path / "remote")).code == 0
        assert tracked.here("push").code == 0
        config = tracked.root / ".gitmlog/config.toml"
        config.write_text(config.read_text().replace(str(tmp_path / "remote"), str(tmp_path / "evil")))
        tracked.commit("fix typo")
        tracked.write("m", "secret model")
        assert tracked.here("add", "m").code == 0
        return tracked

    @pytest.mark.parametrize("command", TRANSFERS)
    def test_refused(self, changed: Sandbox, command: str, tmp_path: Path) -> None:
        error = changed.fails(command, code=6, kind="remote-changed")
        assert str(tmp_path / "remote") in error["message"]
        assert str(tmp_path / "evil") in error["message"]
        assert "gitmlog remote trust origin" in error["hint"]
        assert not (tmp_path / "evil").exists()

    def test_status_still_works(self, changed: Sandbox) -> None:
        assert changed.here("status").code == 0

    def test_accepted(self, changed: Sandbox, tmp_path: Path) -> None:
        assert changed.here("remote", "trust", "origin").code == 0
        assert changed.here("push").code == 0
        assert (tmp_path / "evil/gitmlog-remote.toml").exists()

    def test_endpoint_that_was_added(self, tracked: Sandbox, tmp_path: Path) -> None:
        """The same bucket name on somebody else's server gets no credentials."""
        assert tracked.here("remote", "add", "origin", str(tmp_path / "remote")).code == 0
        assert tracked.here("push").code == 0
        config = tracked.root / ".gitmlog/config.toml"
        config.write_text(config.read_text() + 'endpoint = "http://127.0.0.1:9"\n')
        tracked.fails("push", code=6, kind="remote-changed")

    def test_damaged_memory_of_trust(self, changed: Sandbox) -> None:
        (changed.root / ".git/gitmlog/trust.toml").write_bytes(b"\xff garbage")
        changed.fails("push", code=1, kind="bad-config")

    def test_a_private_url_overrides_and_needs_no_trust(self, changed: Sandbox, tmp_path: Path) -> None:
        assert changed.here("config", "remote.origin.url", str(tmp_path / "mine")).code == 0
        assert changed.here("push").code == 0
        assert (tmp_path / "mine/gitmlog-remote.toml").exists()
        assert changed.here("config", "--unset", "remote.origin.url").code == 0
        assert "was not used" in changed.fails("push", code=6, kind="remote-changed")["message"]

    def test_a_committed_endpoint_beside_a_private_url(self, tracked: Sandbox, tmp_path: Path) -> None:
        """It would take the bytes and the credentials of a remote that nobody committed elsewhere."""
        set_remotes(tracked, mine="s3://bucket")
        tracked.write(".gitmlog/config.toml", 'version = 1\n[remote.mine]\nendpoint = "http://127.0.0.1:9"\n')
        for named in ((), ("--remote", "mine")):
            tracked.fails("push", *named, code=6, kind="remote-changed")
        assert tracked.here("config", "remote.mine.endpoint", "http://127.0.0.1:8").code == 0
        assert tracked.fails("push", code=1, kind="remote-auth")


class TestAddedBySomebody:
    @pytest.fixture
    def added(self, tracked: Sandbox, tmp_path: Path) -> Sandbox:
        """Somebody's commit adds a remote and makes it the default."""
        assert tracked.here("remote", "add", "origin", str(tmp_path / "remote")).code == 0
        config = tracked.root / ".gitmlog/config.toml"
        config.write_text(config.read_text() + f'[core]\nremote = "fast"\n[remote.fast]\nurl = "{tmp_path}/evil"\n')
        tracked.commit("faster")
        return tracked

    @pytest.mark.parametrize("command", TRANSFERS)
    def test_not_used_unasked(self, added: Sandbox, command: str, tmp_path: Path) -> None:
        error = added.fails(command, code=6, kind="remote-changed")
        assert str(tmp_path / "evil") in error["message"]
        assert "gitmlog remote trust fast" in error["hint"] and "--remote fast" in error["hint"]
        assert not (tmp_path / "evil").exists()

    @pytest.mark.parametrize(
        "accept", [("remote", "trust", "fast"), ("push", "--remote", "fast"), ("remote", "default", "fast", "--local")]
    )
    def test_accepted_by_name(self, added: Sandbox, accept: tuple[str, ...], tmp_path: Path) -> None:
        assert added.here(*accept).code == 0
        assert added.here("push").code == 0
        assert (tmp_path / "evil/gitmlog-remote.toml").exists()

    def test_gc_and_doctor_do_not_name_it(self, added: Sandbox) -> None:
        added.write("m", "version two")
        assert added.here("add", "m").code == 0
        added.write("m", "version three")
        assert added.here("add", "m").code == 0
        assert "remote fast was not asked" in added.here("gc").err
        assert "warning  remote fast" in added.here("doctor", "--remote").out
        added.fails("push", code=6, kind="remote-changed")

    def test_a_fresh_clone_uses_the_default(self, added: Sandbox, tmp_path: Path) -> None:
        added.git("clone", "-q", str(added.root), str(tmp_path / "fresh"))
        assert Sandbox(tmp_path / "fresh").here("push", "--all").code in (0, 5)

    def test_where_a_remote_is_this_clones_own(self, tracked: Sandbox, tmp_path: Path) -> None:
        set_remotes(tracked, mine=tmp_path / "mine")
        assert tracked.here("push").code == 0
        tracked.write(".gitmlog/config.toml", f'version = 1\n[remote.origin]\nurl = "{tmp_path}/evil"\n')
        tracked.write("m", "other")
        assert tracked.here("add", "m").code == 0
        tracked.fails("push", code=6, kind="remote-changed")


def test_without_a_default_it_is_origin(tracked: Sandbox, tmp_path: Path) -> None:
    set_remotes(tracked, one=tmp_path / "one", origin=tmp_path / "two")
    assert tracked.here("push").code == 0
    assert (tmp_path / "two/gitmlog-remote.toml").exists()
    assert not (tmp_path / "one").exists()
