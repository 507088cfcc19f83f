"""A week of two people on one bare repository over HTTP, with hooks on both sides: every state is as a git user expects."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Done, Sandbox
from tests.gitservers import git_http

pytestmark = pytest.mark.long

POLICY = """\
version = 1

[branches]
protected = ["main"]
"""


class Person(Sandbox):
    """Somebody with a clone."""

    def track(self, path: str, data: str, message: str) -> str:
        self.write(path, data)
        self.ok("add", path.split("/", maxsplit=1)[0])
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def push(self, *arguments: str) -> Done:
        return self.run("git", "push", "-q", *(arguments or ("origin", "HEAD")))

    def holds(self, **files: str | None) -> None:
        """These are the bytes of NAME.bin, and all is as tracked, here and in git's eyes."""
        found = {name: path.read_text() if (path := self.root / f"{name}.bin").exists() else None for name in files}
        assert found == files
        assert self.git("status", "--porcelain") == ""
        assert self.here("status", "--exit-code").code == 0, self.here("status").out


class Office:
    """The bare repository, where objects are kept, and who works on it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.bare = folder / "srv/team.git"
        self.store = folder / "store"
        self.url = f"{url}/team.git"

    def person(self, name: str) -> Person:
        subprocess.run(["git", "clone", "-q", self.url, str(self.folder / name)], check=True, capture_output=True)
        made = Person(self.folder / name)
        made.git("config", "user.name", name)
        made.ok("init")
        return made

    def refs(self) -> dict[str, str]:
        lines = Sandbox(self.bare).git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split(" ") for line in lines)  # type: ignore[misc]

    def stored(self) -> set[bytes]:
        return {path.read_bytes() for path in self.store.rglob("*") if path.is_file()}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    (tmp_path / "srv").mkdir()
    bare = tmp_path / "srv/team.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    box = Sandbox(bare)
    box.git("config", "http.receivepack", "true")
    box.ok("hooks", "install")
    box.ok("config", "remote.origin.url", str(tmp_path / "store"))
    with git_http(tmp_path / "srv") as server:
        yield Office(tmp_path, server.url)


def test_a_week(office: Office) -> None:
    # Monday: Ada begins.
    ada = office.person("ada")
    ada.ok("remote", "add", "--local", "origin", str(office.store))
    ada.write(".gitmlog/policy.toml", POLICY)
    ada.git("add", "-A")
    ada.git("commit", "-q", "-m", "prepare")
    first = ada.track("model.bin", "model of monday", "a model")
    for name in ("a", "b"):
        ada.write(f"data/{name}", f"row {name}")
    ada.track("data/c", "row c", "some data")
    assert ada.push("-u", "origin", "main").code == 0
    assert office.stored() >= {b"model of monday", b"row a", b"row b", b"row c"}

    # Tuesday: Bob clones, gets everything, and works on a branch.
    bob = office.person("bob")
    bob.ok("remote", "add", "--local", "origin", str(office.store))
    bob.ok("pull")
    bob.holds(model="model of monday")
    assert bob.git("status", "--porcelain") == ""
    bob.git("switch", "-q", "-c", "wider")
    bob.track("model.bin", "wider model of bob", "wider")
    bob.track("data/bob", "row of bob", "more data")
    assert bob.push("-u", "origin", "wider").code == 0

    # Meanwhile Ada changes the model and the data, too.
    ada.track("model.bin", "deeper model of ada", "deeper")
    ada.track("data/ada", "row of ada", "her data")
    assert ada.push().code == 0

    # Wednesday: Ada reviews Bob's branch: its files are there after a pull; then back to her own.
    ada.git("fetch", "-q")
    done = ada.run("git", "switch", "-q", "wider")
    assert "gitmlog pull model.bin" in done.err, "the network is not used unasked"
    ada.ok("pull")
    ada.holds(model="wider model of bob")
    assert not (ada.root / "data/ada").exists()
    ada.git("switch", "-q", "main")
    ada.holds(model="deeper model of ada")

    # The merge: the data come together by themselves, the model is a true conflict.
    done = ada.run("git", "merge", "-q", "wider")
    assert done.code != 0
    assert ada.git("status", "--porcelain").splitlines() == ["M  data.gitmlog", "UU model.bin.gitmlog"]
    assert "<<<<<<< ours: 19 B" in (ada.root / "model.bin.gitmlog").read_text()
    ada.ok("checkout", "--theirs", "model.bin")
    ada.ok("checkout", "data")
    ada.git("commit", "-q", "--no-edit")
    ada.holds(model="wider model of bob")
    rows = sorted(path.name for path in (ada.root / "data").iterdir())
    assert rows == ["a", "ada", "b", "bob", "c"]
    assert ada.push().code == 0

    # Bob pulls: a fast-forward brings the merged data, what he lacks is named.
    bob.git("switch", "-q", "main")
    done = bob.run("git", "pull", "-q", "--ff-only", check=True)
    bob.ok("pull")
    bob.holds(model="wider model of bob")
    assert sorted(path.name for path in (bob.root / "data").iterdir()) == rows

    # Thursday: the wide model was a mistake. A revert of the merge's first parent side.
    bob.git("revert", "--no-edit", "-m", "1", "HEAD")
    bob.ok("pull")
    bob.holds(model="deeper model of ada")
    assert not (bob.root / "data/bob").exists()
    assert bob.push().code == 0
    ada.git("pull", "-q", "--ff-only")
    ada.holds(model="deeper model of ada")

    # A release: tags, which nobody may move.
    ada.git("tag", "-a", "-m", "first", "model@v1.0.0", first)
    ada.git("tag", "-a", "-m", "to production", "model#prod#1", first)
    assert ada.push("origin", "model@v1.0.0", "model#prod#1").code == 0
    held = office.refs()
    ada.git("tag", "-f", "-a", "-m", "moved", "model@v1.0.0", "HEAD")
    done = ada.push("-f", "origin", "model@v1.0.0")
    assert done.code != 0
    assert "model@v1.0.0" in done.err
    assert office.refs() == held

    # Friday: a force-push is refused, and a push without objects.
    bob.git("reset", "-q", "--hard", first)
    bob.ok("checkout")
    bob.track("model.bin", "history rewritten", "rewritten")
    done = bob.push("--force", "origin", "main")
    assert done.code != 0
    assert "main" in done.err
    assert office.refs() == held
    bob.git("switch", "-q", "-c", "empty-handed")
    bob.track("model.bin", "never sent", "without its bytes")
    done = bob.push("--no-verify", "origin", "empty-handed")
    assert done.code != 0
    assert "model.bin" in done.err and "gitmlog push" in done.err
    assert office.refs() == held
    assert bob.push("origin", "empty-handed").code == 0, "with its bytes it goes through"
    bob.git("switch", "-q", "main")
    bob.git("reset", "-q", "--hard", "origin/main")
    bob.git("pull", "-q", "--ff-only")
    bob.ok("checkout")
    bob.holds(model="deeper model of ada")

    # A run, pushed and accepted over there.
    ada.write("train.py", "open('model.bin', 'w').write('trained model')\nprint('metric acc=0.9')\n")
    ada.git("add", "train.py")
    ada.git("commit", "-q", "-m", "how to train")
    ada.ok("run", "-n", "friday", "-o", "model.bin", "--", sys.executable, "train.py")
    ada.ok("runs", "accept", "last")
    ada.holds(model="trained model")
    assert ada.push("origin", "main").code == 0
    ada.ok("push", "--runs")
    bob.git("pull", "-q", "--ff-only")
    bob.ok("pull")
    bob.holds(model="trained model")
    bob.ok("fetch", "--runs")
    assert "friday" in bob.ok("runs", "list")

    # The weekend: whoever clones has it all, and every byte is whole.
    carol = office.person("carol")
    carol.ok("remote", "add", "--local", "origin", str(office.store))
    carol.ok("pull", "--all")
    carol.holds(model="trained model")
    assert "all is whole" in carol.ok("verify")
    carol.git("switch", "-q", "--detach", "model@v1.0.0")
    carol.holds(model="model of monday")
    subprocess.run(["git", "-C", str(office.bare), "fsck", "--strict"], check=True, capture_output=True)
