"""`push`, `fetch`, `pull` between clones, over a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Sandbox


@dataclass(frozen=True)
class Team:
    """Ada and Bob with a git origin and a folder as remote."""

    ada: Sandbox
    folder: Path
    origin: Path

    def clone(self, name: str = "bob") -> Sandbox:
        """A fresh clone."""
        root = self.origin.parent / name
        self.ada.git("clone", "-q", str(self.origin), str(root))
        return Sandbox(root)

    def publish(self) -> None:
        """As the README says: gitmlog push && git push."""
        self.ada.ok("push")
        self.ada.git("push", "-q", "origin", "HEAD")

    def stored(self) -> set[str]:
        """The objects in the folder."""
        return {path.parent.name + path.name for path in (self.folder / "objects").rglob("*") if path.is_file()}


@pytest.fixture
def team(make_sandbox: Callable[[str], Sandbox], tmp_path: Path) -> Team:
    ada = make_sandbox("ada")
    ada.run("git", "init", "-q", "--bare", str(tmp_path / "origin.git"), check=True)
    ada.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    ada.ok("init")
    ada.write("m.bin", b"one")
    for number in range(30):
        ada.write(f"data/img_{number:03d}.png", f"image {number}")
    ada.ok("add", "m.bin", "data")
    ada.commit("first model")
    (tmp_path / "store").mkdir()
    ada.ok("remote", "add", "origin", str(tmp_path / "store"))
    return Team(ada, tmp_path / "store", tmp_path / "origin.git")


def test_the_story_of_the_readme(team: Team) -> None:
    team.publish()
    bob = team.clone()
    bob.ok("pull")
    assert (bob.root / "m.bin").read_bytes() == b"one"
    assert len(list((bob.root / "data").iterdir())) == 30
    assert json.loads(bob.ok("status", "--json"))["clean"]


def test_what_is_there_is_not_sent_again(team: Team) -> None:
    assert json.loads(team.ada.ok("push", "--json"))["sent"] == 32
    again = json.loads(team.ada.ok("push", "--json"))
    assert (again["sent"], again["present"]) == (0, 32)


def test_every_commit_that_git_will_publish_is_served(team: Team) -> None:
    for text in ("two", "three"):
        team.ada.write("m.bin", text)
        team.ada.ok("add", "m.bin")
        team.ada.commit(text)
    team.publish()
    bob = team.clone()
    for revision, text in (("HEAD~2", "one"), ("HEAD~1", "two"), ("HEAD", "three")):
        bob.ok("pull", "--rev", revision, "m.bin")
        assert (bob.root / "m.bin").read_text() == text


def test_a_part_of_a_directory(team: Team) -> None:
    team.publish()
    bob = team.clone()
    bob.ok("pull", "data/img_00*")
    assert len(list((bob.root / "data").iterdir())) == 10
    assert not (bob.root / "m.bin").exists()
    bob.ok("pull", "data/img_011.png", "m.bin")
    assert len(list((bob.root / "data").iterdir())) == 11
    bob.ok("pull")
    assert json.loads(bob.ok("status", "--json"))["clean"]


def test_fetch_leaves_the_working_tree_alone(team: Team) -> None:
    team.publish()
    bob = team.clone()
    bob.ok("fetch", "m.bin")
    assert not (bob.root / "m.bin").exists()
    bob.run("mv", str(team.folder), str(team.folder) + ".away", check=True)
    bob.ok("checkout", "m.bin")


def test_all_history_by_all(team: Team) -> None:
    team.ada.write("m.bin", "two")
    team.ada.ok("add", "m.bin")
    team.ada.commit("two")
    team.publish()
    bob = team.clone()
    bob.ok("fetch", "--all")
    bob.run("mv", str(team.folder), str(team.folder) + ".away", check=True)
    bob.ok("checkout", "--rev", "HEAD~2", "m.bin")
    assert (bob.root / "m.bin").read_bytes() == b"one"


def test_status_knows_what_was_pushed(team: Team) -> None:
    def not_pushed(sandbox: Sandbox) -> list[str]:
        paths = json.loads(sandbox.ok("status", "--json"))["paths"]
        return [item["path"] for item in paths if "not-pushed" in item["conditions"]]

    assert not_pushed(team.ada) == ["data", "m.bin"]
    team.publish()
    assert not_pushed(team.ada) == []
    bob = team.clone()
    bob.ok("pull")
    assert not_pushed(bob) == []


def test_bytes_that_nobody_has(team: Team) -> None:
    team.ada.git("push", "-q", "--no-verify", "origin", "HEAD")
    done = team.clone().gitmlog("pull", "--json")
    error = json.loads(done.err)["error"]
    assert (done.code, error["kind"]) == (5, "missing-data")
    assert "gitmlog push" in error["hint"]


def test_a_tree_is_never_published_before_its_files(team: Team) -> None:
    victim = next(
        path
        for path in (team.ada.root / ".git/gitmlog/cache/objects").rglob("*")
        if path.is_file() and path.read_bytes() == b"image 7"
    )
    victim.unlink()
    done = team.ada.gitmlog("push")
    assert done.code == 5
    assert "img_007" in done.err
    tree = json.loads(team.ada.ok("status", "--json", "data"))
    assert tree
    assert not any(
        (team.folder / "objects" / oid[:2] / oid[2:]).read_bytes().startswith(b"gitmlog-tree") for oid in team.stored()
    )


def test_a_damaged_object_on_the_remote_is_not_let_in(team: Team) -> None:
    team.publish()
    for path in (team.folder / "objects").rglob("*"):
        if path.is_file() and path.read_bytes() == b"one":
            path.chmod(0o644)
            path.write_bytes(b"ONE")
    bob = team.clone()
    done = bob.gitmlog("pull", "m.bin", "--json")
    assert done.code == 5, done
    assert not (bob.root / "m.bin").exists()


def test_a_read_only_command_needs_no_remote(sandbox: Sandbox) -> None:
    sandbox.write("m.bin", b"m")
    sandbox.ok("add", "m.bin")
    assert json.loads(sandbox.ok("status", "--json"))["remote"] is None
    done = sandbox.gitmlog("push", "--json")
    assert (done.code, json.loads(done.err)["error"]["kind"]) == (3, "no-remote")


def test_a_directory_whose_tree_is_not_here_is_still_compared(team: Team) -> None:
    team.publish()
    bob = team.clone()
    bob.ok("pull")
    bob.run("rm", "-rf", str(bob.root / ".git/gitmlog"), check=True)
    found = {item["path"]: item["conditions"] for item in json.loads(bob.ok("status", "--json"))["paths"]}
    assert found == {"data": ["not-cached"], "m.bin": ["not-cached"]}
    bob.write("data/img_000.png", "edited")
    found = {item["path"]: item["conditions"] for item in json.loads(bob.ok("status", "--json"))["paths"]}
    assert found["data"] == ["modified", "not-cached"]


def test_a_remote_that_is_empty_now_is_refused(team: Team) -> None:
    """A share that is not mounted is an empty folder: nothing is sent there, and no metafile is published."""
    team.ada.ok("push")
    store = next(path for path in team.ada.root.parent.iterdir() if (path / "gitmlog-remote.toml").exists())
    store.rename(store.with_name("away"))
    team.ada.write("m.bin", "another")
    team.ada.ok("add", "m.bin")
    team.ada.git("commit", "-q", "-m", "another")
    error = team.ada.fails("push", code=6, kind="remote-empty")
    assert "is it mounted?" in error["hint"]
    assert team.ada.run("git", "push", "-q", "origin", "HEAD").code != 0
    assert "is empty" in team.ada.here("doctor", "--remote").out
    assert not store.exists()
    team.ada.ok("remote", "trust", "origin")
    team.ada.ok("push", "--all")
    assert store.exists()
