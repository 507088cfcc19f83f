"""pre-push, called by the real git: objects before refs, and a way out when that cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import Done, Sandbox

pytestmark = pytest.mark.long


class Place(Sandbox):
    """A repository with a git remote, and a folder as the remote of objects."""

    @property
    def bare(self) -> Path:
        return self.root.parent / "bare.git"

    @property
    def store(self) -> Path:
        return self.root.parent / "store"

    def keep(self, data: str, path: str = "m.bin") -> None:
        self.write(path, data)
        self.ok("add", path)
        self.git("commit", "-q", "-m", data)

    def push(self, *arguments: str) -> Done:
        return self.run("git", "push", "-q", *(arguments or ("origin", "main")))

    def stored(self) -> set[str]:
        return {path.read_text() for path in self.store.rglob("*") if path.is_file()} if self.store.exists() else set()

    def lose(self, data: str) -> None:
        for path in (self.root / ".git/gitmlog/cache/objects").glob("*/*"):
            if path.read_text() == data:
                path.unlink()

    def published(self) -> str:
        return self.git("ls-remote", str(self.bare))


@pytest.fixture
def place(hooked: Sandbox) -> Place:
    made = Place(hooked.root)
    made.git("init", "-q", "--bare", str(made.bare))
    made.git("remote", "add", "origin", str(made.bare))
    made.ok("remote", "add", "origin", str(made.store))
    return made


def test_objects_go_first(place: Place) -> None:
    place.keep("one")
    place.keep("two")
    place.write("d/a", "in d")
    place.ok("add", "d")
    place.git("commit", "-q", "-m", "d")
    done = place.push()
    assert done.code == 0, done
    assert "gitmlog: sent 4 objects" in done.err
    assert place.stored() >= {"one", "two", "in d"}, "every version that the new commits name"
    done = place.push()
    assert (done.code, done.err) == (0, "")


def test_only_what_is_new_is_asked_for(place: Place) -> None:
    place.keep("one")
    place.push()
    place.lose("one")
    place.store.rename(place.root.parent / "away")
    place.write("code.py", "x")
    place.git("add", "code.py")
    place.git("commit", "-q", "-m", "code")
    assert place.push().code == 0, "a commit of code needs no remote"
    (place.root.parent / "away").rename(place.store)
    place.keep("two", "n.bin")
    assert place.push().code == 0
    assert "two" in place.stored()


def test_no_remote(hooked: Sandbox) -> None:
    box = Place(hooked.root)
    box.git("init", "-q", "--bare", str(box.bare))
    box.git("remote", "add", "origin", str(box.bare))
    assert box.push("origin", "main").code == 0, "nothing of ours is in it"
    box.keep("one")
    done = box.push("origin", "HEAD:refs/heads/new")
    assert done.code != 0
    assert "error: no remote is configured" in done.err
    assert "gitmlog remote add origin URL" in done.err and "git push --no-verify" in done.err
    assert "refs/heads/new" not in box.published()
    assert box.push("--no-verify", "origin", "main").code == 0


def test_a_dead_remote(place: Place) -> None:
    place.keep("one")
    place.ok("config", "remote.origin.url", "s3://bucket/x")
    place.ok("config", "remote.origin.endpoint", "http://127.0.0.1:9")
    place.ok("config", "remote.origin.retries", "0")
    environment = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    done = place.run("git", "push", "-q", "origin", "main", env=environment)
    assert done.code != 0
    assert "error:" in done.err and "git push --no-verify" in done.err and "Traceback" not in done.err
    assert place.published() == ""


def test_an_object_that_is_nowhere(place: Place) -> None:
    place.keep("one")
    place.keep("two")
    place.lose("one")
    done = place.push()
    assert done.code != 0
    assert "m.bin" in done.err and "neither in the cache nor on remote" in done.err and "--no-verify" in done.err
    assert place.published() == ""


def test_check_sends_nothing(place: Place) -> None:
    place.ok("config", "hooks.push", "check")
    place.keep("one")
    done = place.push()
    assert done.code != 0
    assert "not on remote 'origin': m.bin" in done.err and "gitmlog push" in done.err
    assert (place.published(), place.stored()) == ("", set())
    place.ok("push")
    assert place.push().code == 0


def test_off(place: Place) -> None:
    place.ok("config", "hooks.push", "off")
    place.keep("one")
    assert place.push().code == 0
    assert place.stored() == set()


def test_branches_tags_deletions_and_other_objects(place: Place) -> None:
    place.keep("one")
    place.git("checkout", "-q", "-b", "other")
    place.keep("two")
    place.git("tag", "-a", "-m", "x", "v1")
    blob = place.git("rev-parse", "HEAD:m.bin.gitmlog").strip()
    place.git("tag", "of-a-blob", blob)
    assert place.push("origin", "v1", "of-a-blob").code == 0
    assert place.stored() >= {"one", "two"}
    assert place.push("origin", ":refs/tags/v1").code == 0
    place.git("checkout", "-q", "main")
    assert place.push("--all", "origin").code == 0


def test_without_a_name(place: Place) -> None:
    place.keep("one")
    assert place.push(str(place.bare), "HEAD:refs/heads/x").code == 0
    assert "one" in place.stored()


def test_a_version_gone_back_to(place: Place) -> None:
    place.keep("one")
    place.keep("two")
    place.push()
    place.git("revert", "--no-edit", "HEAD")
    assert place.push().code == 0
    assert (place.root / "m.bin").read_text() == "one"


def test_a_merge_of_histories(place: Place) -> None:
    """A version that only a merge commit itself has."""
    place.keep("one")
    place.push()
    place.git("checkout", "-q", "-b", "side")
    place.git("commit", "-q", "--allow-empty", "-m", "side")
    place.git("checkout", "-q", "main")
    place.git("commit", "-q", "--allow-empty", "-m", "main")
    place.git("merge", "-q", "--no-commit", "--no-ff", "side")
    place.write("m.bin", "evil")
    place.ok("add", "m.bin")
    place.git("commit", "-q", "--no-edit")
    assert place.push().code == 0
    assert "evil" in place.stored()


def test_a_metafile_that_cannot_be_read(place: Place) -> None:
    place.write("m.bin.gitmlog", "version = 1\n[file]\n")
    place.git("add", "m.bin.gitmlog")
    place.git("commit", "-q", "--no-verify", "-m", "bad")
    done = place.push()
    assert done.code != 0
    assert "m.bin.gitmlog" in done.err and "--no-verify" in done.err


def test_runs_too(place: Place) -> None:
    place.write("train.py", f"open('report.txt', 'w').write('{'r' * 50}')")
    place.git("add", "train.py")
    place.git("commit", "-q", "-m", "code")
    place.push()
    place.ok("run", "-o", "out.bin", "--", "sh", "-c", "echo weights > out.bin")
    tag = place.git("tag", "-l", "run/*").strip()
    assert place.push("origin", tag).code == 0
    assert "weights\n" in place.stored()
    assert any("echo" not in each for each in place.stored())
    assert os.path.exists(place.root / "train.py")


@pytest.mark.parametrize(
    "command",
    [
        ["--literal-pathspecs", "push", "-q", "origin", "main"],
        ["push", "-q", "origin", "HEAD@{0 seconds ago}:refs/heads/x"],
        ["push", "-q", "origin", "main:refs/heads/q\u2028y"],
        ["-c", "log.showRoot=false", "-c", "log.diffMerges=off", "push", "-q", "origin", "main"],
    ],
    ids=["literal", "spaces", "odd name", "settings"],
)
def test_no_way_around(place: Place, command: list[str]) -> None:
    """However git was told to push: what the commits name goes first."""
    place.keep("one")
    place.git("checkout", "-q", "-b", "side", "HEAD~1")
    place.git("commit", "-q", "--allow-empty", "-m", "side")
    place.git("checkout", "-q", "main")
    place.git("merge", "-q", "--no-commit", "--no-ff", "side")
    place.write("n.bin", "evil")
    place.ok("add", "n.bin")
    place.git("commit", "-q", "--no-edit")
    done = place.run("git", *command)
    assert done.code == 0, done
    assert place.stored() >= {"one", "evil"}


def test_a_replaced_history_hides_nothing(place: Place) -> None:
    place.push()
    place.git("fetch", "-q", "origin")
    place.keep("one")
    place.ok("rm", "m.bin")
    place.git("commit", "-q", "-m", "gone again")
    place.git("replace", "--graft", "HEAD", "origin/main")
    assert place.push().code == 0
    assert "one" in place.stored()


def test_a_cut_object_is_not_there(place: Place) -> None:
    place.keep("one")
    place.ok("push")
    next(path for path in place.store.rglob("*") if path.is_file() and path.read_text() == "one").write_text("")
    place.ok("config", "hooks.push", "check")
    assert place.push().code != 0
    place.ok("config", "hooks.push", "send")
    assert place.push().code == 0
    assert "one" in place.stored()


def test_a_ref_of_an_odd_name_stops_nobody(place: Place) -> None:
    place.keep("one")
    place.git("branch", "odd\u2028name")
    place.ok("push")
    place.ok("push", "--runs")
    assert place.push().code == 0
