"""`gitmlog config`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Sandbox


def test_layers_and_unset(sandbox: Sandbox, hermetic: Path) -> None:
    sandbox.ok("config", "--user", "core.jobs", "3")
    sandbox.ok("config", "core.jobs", "2")
    assert sandbox.ok("config", "core.jobs") == "2\n"
    assert sandbox.ok("config", "--user", "core.jobs") == "3\n"
    sandbox.ok("config", "--unset", "core.jobs")
    assert json.loads(sandbox.ok("config", "core.jobs", "--json")) == {"key": "core.jobs", "value": 3, "layer": "user"}
    file = hermetic / ".config/gitmlog/config.toml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert sandbox.gitmlog("config", "--unset", "core.jobs").code == 3


def test_the_user_file_needs_no_repository(tmp_path: Path) -> None:
    box = Sandbox(tmp_path)
    box.ok("config", "--user", "cache.link", "hardlink,copy")
    assert box.ok("config", "cache.link") == "hardlink,copy\n"
    assert "hardlink,copy  (user)" in box.ok("config")
    assert box.gitmlog("config", "core.jobs", "2").code == 3


def test_comments_stay(sandbox: Sandbox) -> None:
    sandbox.write(".git/gitmlog/config.toml", "# mine\nversion = 1\n\n[core]\njobs = 4 # four\n")
    sandbox.ok("config", "gc.grace", "7")
    text = (sandbox.root / ".git/gitmlog/config.toml").read_text()
    assert "# mine" in text
    assert "# four" in text
    assert "grace = 7" in text


@pytest.mark.parametrize("key", ["password", "secret_key", "session_token", "account_key", "sas_token", "token"])
def test_secrets_are_shown_to_nobody(sandbox: Sandbox, key: str) -> None:
    name = f"remote.origin.{key}"
    sandbox.ok("config", name, "hunter2")
    for arguments in (("config",), ("config", name), ("config", name, "--json"), ("config", "--json"), ("config", "--list")):
        said = sandbox.ok(*arguments)
        assert "hunter2" not in said
        assert "********" in said
    done = sandbox.gitmlog("config", "--shared", name, "hunter2")
    assert done.code == 2
    assert "hunter2" not in done.err
    assert not (sandbox.root / ".gitmlog").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("core.nope",), 2),
        (("core.nope", "1"), 2),
        (("core.jobs", "0"), 2),
        (("core.jobs", "many"), 2),
        (("cache.link", "teleport"), 2),
        (("remote.bad name.url", "s3://a"), 2),
        (("remote.o.url", "ftp://x"), 1),
        (("remote.o.endpoint", "x"), 1),
        (("--shared", "cache.dir", "/tmp"), 2),
        (("--shared", "remote.o.key_file", "/etc/passwd"), 2),
        (("--unset",), 2),
        (("--unset", "core.jobs", "1"), 2),
        (("--list", "core.jobs"), 2),
        (("core.jobs",), 3),
    ],
)
def test_what_cannot_be(sandbox: Sandbox, arguments: tuple[str, ...], code: int) -> None:
    done = sandbox.gitmlog("config", *arguments)
    assert done.code == code, done
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err


def test_shared_is_staged(sandbox: Sandbox) -> None:
    sandbox.ok("config", "--shared", "status.large", "5")
    assert sandbox.git("diff", "--cached", "--name-only").split() == [".gitmlog/config.toml"]
    sandbox.ok("config", "--shared", "--unset", "status.large")


def test_paths_become_absolute(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.ok("config", "cache.dir", "../shared-cache")
    assert sandbox.ok("config", "cache.dir") == f"{tmp_path}/shared-cache\n"
    assert (tmp_path / "shared-cache/shared").exists()


def test_a_committed_file_with_what_may_not_be_committed(sandbox: Sandbox) -> None:
    sandbox.write(".gitmlog/config.toml", 'version = 1\n[remote.o]\nurl = "s3://a"\npassword = "x"\n')
    done = sandbox.gitmlog("config", "--json")
    assert done.code == 1
    assert json.loads(done.err)["error"]["kind"] == "bad-config"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--global", "core.jobs", "2"), "gitmlog config --user"),
        (("get", "core.jobs"), "gitmlog config core.jobs"),
        (("set", "core.jobs", "2"), "gitmlog config core.jobs VALUE"),
        (("unset", "core.jobs"), "gitmlog config --unset core.jobs"),
        (("core.jobs", "2", "3"), "quote"),
    ],
)
def test_words_that_git_has(sandbox: Sandbox, words: tuple[str, ...], hint: str) -> None:
    assert hint in sandbox.fails("config", *words, code=2, kind="usage")["hint"]


def test_the_version_of_a_file_is_no_setting(sandbox: Sandbox) -> None:
    assert sandbox.here("config", "core.jobs", "2").code == 0
    assert "version" not in sandbox.here("config").out
