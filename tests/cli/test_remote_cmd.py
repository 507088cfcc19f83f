"""`gitmlog remote`: the committed file, its own commit, and trust."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Sandbox

CONFIG = ".gitmlog/config.toml"


@pytest.fixture
def begun(sandbox: Sandbox) -> Sandbox:
    sandbox.write("README", "hello\n")
    sandbox.commit("first")
    return sandbox


def remotes(box: Sandbox) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(box.ok("remote", "list", "--json"))
    return found


def test_the_story_of_the_issue_as_written(begun: Sandbox, tmp_path: Path) -> None:
    begun.write("model.bin", b"weights")
    begun.ok("add", "model.bin")
    begun.git("commit", "-q", "-m", "first model")
    begun.ok("remote", "add", "origin", str(tmp_path / "store"))
    begun.ok("push")
    begun.git("clone", "-q", str(begun.root), str(tmp_path / "colleague"))
    colleague = Sandbox(tmp_path / "colleague")
    colleague.ok("pull")
    assert (colleague.root / "model.bin").read_bytes() == b"weights"


def test_add_commits_that_file_alone(begun: Sandbox, tmp_path: Path) -> None:
    begun.write("staged", "x")
    begun.git("add", "staged")
    said = begun.ok("remote", "add", "origin", "../store")
    assert f"committed as {begun.git('rev-parse', '--short=7', 'HEAD').strip()}: gitmlog: remote origin" in said
    assert "absolute path was written" in said
    assert begun.git("show", "--name-only", "--format=%s", "HEAD").split() == ["gitmlog:", "remote", "origin", CONFIG]
    assert begun.git("diff", "--cached", "--name-only").split() == ["staged"]
    assert remotes(begun) == [
        {"name": "origin", "url": str(tmp_path / "store"), "default": True, "layer": "shared", "trusted": True}
    ]


def test_before_the_first_commit_it_stays_staged(sandbox: Sandbox) -> None:
    assert "staged .gitmlog/config.toml" in sandbox.ok("remote", "add", "origin", "s3://models/demo")
    assert sandbox.git("diff", "--cached", "--name-only").split() == [CONFIG]
    assert sandbox.run("git", "rev-parse", "HEAD").code != 0


def test_during_a_merge_it_stays_staged(begun: Sandbox) -> None:
    begun.git("checkout", "-q", "-b", "side")
    begun.write("README", "side\n")
    begun.commit()
    begun.git("checkout", "-q", "main")
    begun.write("README", "main\n")
    begun.commit()
    assert begun.run("git", "merge", "side").code == 1
    head = begun.git("rev-parse", "HEAD")
    assert "staged" in begun.ok("remote", "add", "origin", "s3://models")
    assert begun.git("rev-parse", "HEAD") == head


def test_without_identity_it_stays_staged(begun: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    begun.git("config", "user.useConfigOnly", "true")
    assert "staged" in begun.ok("remote", "add", "origin", "s3://models")


def test_edits_that_are_not_committed_are_not_committed_along(begun: Sandbox) -> None:
    begun.write(CONFIG, "version = 1\n\n[status]\nlarge = 5\n")
    assert "staged" in begun.ok("remote", "add", "origin", "s3://models")
    assert "large = 5" in begun.git("show", f":{CONFIG}")


def test_local_and_no_commit(begun: Sandbox) -> None:
    assert "in this clone only" in begun.ok("remote", "add", "mine", "s3://a", "--local")
    assert begun.git("status", "--porcelain") == ""
    assert "staged" in begun.ok("remote", "add", "ours", "s3://b", "--no-commit", "--region", "eu-1", "--default")
    assert 'region = "eu-1"' in begun.git("show", f":{CONFIG}")
    assert [(item["name"], item["layer"], item["default"]) for item in remotes(begun)] == [
        ("mine", "local", False),
        ("ours", "shared", True),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("bad.name", "s3://a"), 2, "bad-name"),
        (("o", "ftp://a/b"), 1, "bad-url"),
        (("o", "https://u:secret@host/x"), 1, "bad-url"),
        (("o", "git@host:models"), 2, "bad-url"),
        (("o", "s3://a", "--endpoint", "nowhere"), 1, "bad-url"),
        (("o", ".git/gitmlog/cache"), 6, "own-cache"),
        (("o",), 2, "usage"),
    ],
)
def test_what_cannot_be(begun: Sandbox, arguments: tuple[str, ...], code: int, kind: str) -> None:
    done = begun.gitmlog("remote", "add", *arguments, "--json")
    assert done.code == code, done
    error = json.loads(done.err)["error"]
    assert error["kind"] == kind
    assert "secret" not in done.err
    assert not (begun.root / CONFIG).exists()


def test_an_existing_name_is_refused(begun: Sandbox) -> None:
    begun.ok("remote", "add", "origin", "s3://a")
    done = begun.gitmlog("remote", "add", "origin", "s3://b")
    assert done.code == 6
    assert "already" in done.err
    assert "s3://a" in (begun.root / CONFIG).read_text()


def test_remove_and_default(begun: Sandbox) -> None:
    begun.ok("remote", "add", "a", "s3://a", "--default")
    begun.ok("remote", "add", "b", "s3://b")
    begun.ok("remote", "default", "b")
    assert [item["default"] for item in remotes(begun)] == [False, True]
    begun.ok("remote", "remove", "b")
    assert [item["name"] for item in remotes(begun)] == ["a"]
    assert "core" not in (begun.root / CONFIG).read_text()
    assert begun.git("status", "--porcelain") == ""
    for verb in ("remove", "default", "trust"):
        assert begun.gitmlog("remote", verb, "nope").code == 3


def test_a_private_default_that_wins_is_said(begun: Sandbox) -> None:
    begun.ok("remote", "add", "a", "s3://a")
    begun.ok("remote", "add", "b", "s3://b")
    begun.ok("remote", "default", "a", "--local")
    done = begun.gitmlog("remote", "default", "b")
    assert done.code == 0
    assert "still wins" in done.err


def test_a_changed_address_is_refused_until_trusted(begun: Sandbox, tmp_path: Path) -> None:
    begun.ok("remote", "add", "origin", str(tmp_path / "good"))
    begun.write("m.bin", b"1")
    begun.ok("add", "m.bin")
    begun.commit()
    begun.write(CONFIG, f'version = 1\n\n[remote.origin]\nurl = "{tmp_path}/evil"\n')
    begun.commit("look, faster")
    done = begun.gitmlog("push", "--json")
    assert (done.code, json.loads(done.err)["error"]["kind"]) == (6, "remote-changed")
    assert not (tmp_path / "evil").exists()
    assert remotes(begun)[0]["trusted"] is False
    assert begun.gitmlog("config", "--shared", "remote.origin.region", "x").code == 6, "changing a part is not trusting the whole"
    begun.ok("remote", "trust", "origin")
    begun.ok("push")


def test_a_link_leads_nowhere(begun: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (begun.root / ".gitmlog").symlink_to(tmp_path / "outside")
    done = begun.gitmlog("remote", "add", "origin", "s3://a")
    assert done.code == 6, done
    assert list((tmp_path / "outside").iterdir()) == []


def test_outside_a_repository(tmp_path: Path, make_sandbox: Callable[[str], Sandbox]) -> None:
    assert Sandbox(tmp_path).gitmlog("remote", "list").code == 3
    assert "no remote" in make_sandbox("bare-of-remotes").ok("remote", "list")


def test_words_that_git_has(begun: Sandbox) -> None:
    assert "no remote" in begun.here("remote").out
    assert begun.here("remote", "add", "b", "s3://b").code == 0
    assert begun.here("remote").out == begun.here("remote", "-v").out == begun.here("remote", "list").out != ""
    done = begun.here("remote", "set-url", "b", "s3://c")
    assert done.code == 2 and "gitmlog config --shared remote.NAME.url URL" in done.err
    assert "`gitmlog remote default`" in begun.here("remote", "defualt", "b").err
    assert begun.here("remote", "rm", "b").code == 0
    assert begun.here("-q", "remote").out == "no remote is configured: gitmlog remote add origin URL\n"


def test_what_push_and_fetch_say(begun: Sandbox, tmp_path: Path) -> None:
    assert begun.here("remote", "add", "origin", str(tmp_path / "store"), "--local").out.endswith("nothing was committed\n")
    assert begun.here("push").out == "nothing to send: nothing is tracked\n"
    for name in ("a", "b"):
        begun.write(name, name)
        assert begun.here("add", name).code == 0
        said = begun.here("push").out
    assert said == "sent 1 object (1 B) to origin; 1 was there already\n"
    assert begun.here("push").out == "everything is on origin already (2 objects)\n"
    assert begun.here("fetch").out == "everything is in the cache already (2 objects)\n"


def test_init_says_whether_it_ran_before(make_sandbox: Callable[[str], Sandbox]) -> None:
    box = make_sandbox("other")
    box.write("m", "1")
    assert box.here("add", "m").code == 0
    assert box.here("init").out.startswith("ready: ")
    assert box.here("init").out.startswith("ready (as before): ")


def test_the_commit_is_of_that_file_alone(sandbox: Sandbox) -> None:
    """What else is staged stays staged, and the reflog says what happened."""
    sandbox.write("code.py", "1\n")
    sandbox.commit("first")
    sandbox.write("code.py", "2\n")
    sandbox.git("add", "code.py")
    sandbox.ok("remote", "add", "origin", "../objects")
    assert sandbox.git("show", "--name-only", "--format=%s|%an|%ae", "HEAD").split() == [
        "gitmlog:", "remote", "origin|Ada|ada@example.org", ".gitmlog/config.toml",
    ]  # fmt: skip
    assert sandbox.git("status", "--porcelain") == "M  code.py\n"
    assert sandbox.git("reflog", "-1", "--format=%gs") == "commit: gitmlog: remote origin\n"
    assert sandbox.git("fsck", "--strict", "--no-dangling") == ""


@pytest.mark.parametrize("detached", [False, True])
def test_the_commit_goes_where_head_is(sandbox: Sandbox, detached: bool) -> None:
    sandbox.write("code.py", "1\n")
    first = sandbox.commit("first")
    if detached:
        sandbox.git("checkout", "-q", "--detach")
    sandbox.ok("remote", "add", "origin", "../objects")
    assert sandbox.git("rev-parse", "HEAD^").strip() == first
    assert (sandbox.git("rev-parse", "main").strip() == first) is detached


def test_where_commits_are_to_be_signed_it_is_left_to_the_user(sandbox: Sandbox) -> None:
    sandbox.write("code.py", "1\n")
    first = sandbox.commit("first")
    sandbox.git("config", "commit.gpgSign", "true")
    assert "git commit shares it" in sandbox.ok("remote", "add", "origin", "../objects")
    assert sandbox.git("rev-parse", "HEAD").strip() == first
    assert sandbox.git("diff", "--cached", "--name-only") == ".gitmlog/config.toml\n"
