"""push, fetch and pull of runs: objects first, then commits and tags by git; nothing is forced, nothing else moves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitmlog.core.digest import hash_bytes
from gitmlog.store.cache import Cache
from tests.conftest import Sandbox
from tests.runs import FIRST, make_run

SECOND = "20260102-000000-calm-fox"
THIRD = "20260103-000000-bold-owl"
Clone = Callable[[str], Sandbox]


@dataclass(frozen=True)
class Place:
    """A repository, the bare one that git pushes to, and the folder that is the gitmlog remote."""

    sandbox: Sandbox
    bare: Path
    bucket: Path

    def tags(self) -> list[str]:
        return self.sandbox.git("for-each-ref", "--format=%(refname)", cwd=self.bare).split()


@pytest.fixture
def place(sandbox: Sandbox, tmp_path: Path) -> Place:
    sandbox.write("train.py", "print(1)\n")
    sandbox.commit("first")
    bare, bucket = tmp_path / "bare.git", tmp_path / "bucket"
    sandbox.git("init", "-q", "--bare", str(bare))
    sandbox.git("remote", "add", "origin", str(bare))
    sandbox.git("push", "-q", "-u", "origin", "main")
    assert sandbox.here("remote", "add", "store", f"file://{bucket}").code == 0
    return Place(sandbox, bare, bucket)


@pytest.fixture
def clone(place: Place, tmp_path: Path) -> Clone:
    def make(name: str) -> Sandbox:
        place.sandbox.git("clone", "-q", str(place.bare), str(tmp_path / name), cwd=tmp_path)
        made = Sandbox(tmp_path / name)
        assert made.here("remote", "add", "store", f"file://{place.bucket}").code == 0
        return made

    return make


def has(sandbox: Sandbox, data: bytes) -> bool:
    return Cache(sandbox.root / ".git/gitmlog/cache").has(hash_bytes(data))


def said(sandbox: Sandbox, *arguments: str) -> dict[str, object]:
    done = sandbox.here(*arguments, "--json")
    assert done.code == 0, done
    found: dict[str, object] = json.loads(done.out)
    return found


def test_runs_go_there_and_come_back(place: Place, clone: Clone) -> None:
    made = make_run(place.sandbox, artifacts={"plot.png": b"plot"}, outputs={"model.pt": b"weights"}, log=b"said")
    make_run(place.sandbox, SECOND, ref=f"refs/gitmlog/runs/{SECOND}", artifacts={"b": b"second"})
    done = place.sandbox.here("push", "--runs")
    assert done.code == 0, done
    assert "pushed 2 runs to git remote origin" in done.out
    assert place.tags() == [f"refs/gitmlog/runs/{SECOND}", "refs/heads/main", f"refs/tags/run/{FIRST}"]
    other = clone("other")
    done = other.here("pull", "--runs")
    assert done.code == 0, done
    assert other.git("rev-parse", f"run/{FIRST}").strip() == made.tag_object
    assert all(has(other, data) for data in (b"plot", b"weights", b"said", b"second"))
    assert other.git("status", "--porcelain") == ""
    assert other.here("runs", "accept", FIRST).code == 0
    assert (other.root / "model.pt").read_bytes() == b"weights"


def test_again_sends_nothing(place: Place) -> None:
    make_run(place.sandbox, artifacts={"a": b"one"})
    place.sandbox.ok("push", "--runs")
    done = place.sandbox.here("push", "--runs")
    assert done.out == "git remote origin has all of them already (1 run)\n"
    make_run(place.sandbox, SECOND)
    found = said(place.sandbox, "push", "--runs")
    assert (found["runs"], found["present"]) == ([SECOND], 1)


def test_no_run_at_all(place: Place) -> None:
    assert place.sandbox.here("push", "--runs").out == "no run to send\n"
    assert place.sandbox.here("fetch", "--runs").code == 0


def test_a_choice_goes(place: Place) -> None:
    for run, rate in ((FIRST, 0.1), (SECOND, 0.2), (THIRD, 0.3)):
        make_run(place.sandbox, run, params={"lr": rate}, artifacts={"a": run.encode()})
    assert said(place.sandbox, "push", "--where", "params.lr = 0.2")["runs"] == [SECOND]
    assert said(place.sandbox, "push", "--run", "last")["runs"] == [THIRD]
    assert f"refs/tags/run/{FIRST}" not in place.tags()
    place.sandbox.fails("push", "--run", "nonsense", code=3, kind="no-run")


def test_all_tags_come_and_the_objects_of_the_choice(place: Place, clone: Clone) -> None:
    other = clone("other")
    for run, rate in ((FIRST, 0.1), (SECOND, 0.2)):
        make_run(place.sandbox, run, params={"lr": rate}, artifacts={"a": run.encode()})
    place.sandbox.ok("push", "--runs")
    assert said(other, "fetch", "--where", "params.lr = 0.2")["runs"] == [FIRST, SECOND]
    assert has(other, SECOND.encode())
    assert not has(other, FIRST.encode())
    other.ok("fetch", "--run", FIRST)
    assert has(other, FIRST.encode())


def test_git_alone_brings_them(place: Place, clone: Clone) -> None:
    other = clone("other")
    make_run(place.sandbox, params={"lr": 0.1})
    place.sandbox.ok("push", "--runs")
    other.git("fetch", "-q", "--tags")
    assert other.here("runs", "accept", "last").code == 0
    if other.here("runs", "list", "--help").code == 0:
        assert FIRST in other.ok("runs", "list", "--json")


def test_no_other_ref_comes(place: Place, clone: Clone) -> None:
    other = clone("other")
    place.sandbox.git("tag", "v1")
    place.sandbox.git("branch", "side")
    place.sandbox.write("more", "1")
    place.sandbox.commit("more")
    make_run(place.sandbox)
    place.sandbox.git("push", "-q", "origin", "main", "side", "v1")
    place.sandbox.ok("push", "--runs")
    other.git("config", "fetch.prune", "true")
    other.git("config", "remote.origin.pruneTags", "true")
    other.git("tag", "mine")
    before = other.git("for-each-ref").splitlines()
    other.ok("fetch", "--runs")
    assert [line for line in other.git("for-each-ref").splitlines() if "/run/" not in line] == before
    assert not (other.root / ".git/FETCH_HEAD").exists()


def test_what_was_archived_here_stays_archived(place: Place) -> None:
    make_run(place.sandbox)
    place.sandbox.ok("push", "--runs")
    place.sandbox.ok("runs", "archive", FIRST)
    place.sandbox.ok("fetch", "--runs")
    assert place.sandbox.git("tag") == ""
    assert said(place.sandbox, "push", "--runs")["runs"] == []


def test_another_run_of_that_id_is_never_overwritten(place: Place, clone: Clone) -> None:
    other = clone("other")
    make_run(place.sandbox, params={"lr": 0.1}, artifacts={"a": b"one"})
    place.sandbox.ok("push", "--runs")
    theirs = make_run(other, params={"lr": 0.2}, artifacts={"a": b"two"})
    before = place.sandbox.git("ls-remote", str(place.bare))
    for verb in ("push", "fetch", "pull"):
        error = other.fails(verb, "--runs", code=6, kind="tag-differs")
        assert FIRST in error["message"]
    assert place.sandbox.git("ls-remote", str(place.bare)) == before
    assert other.git("rev-parse", f"run/{FIRST}").strip() == theirs.tag_object
    assert not any(hash_bytes(b"two")[2:] in path.name for path in place.bucket.rglob("*"))


def test_a_dead_remote_publishes_no_tag(place: Place) -> None:
    make_run(place.sandbox, artifacts={"a": b"one"})
    shutil.rmtree(place.bucket, ignore_errors=True)
    place.bucket.write_text("no folder")
    done = place.sandbox.here("push", "--runs")
    assert done.code == 1, done
    assert place.tags() == ["refs/heads/main"]


def test_a_git_remote_that_refuses_after_the_objects(place: Place) -> None:
    make_run(place.sandbox, artifacts={"a": b"one"})
    hook = place.bare / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no room >&2; exit 1\n")
    hook.chmod(0o755)
    error = place.sandbox.fails("push", "--runs", code=1, kind="git")
    assert "origin" in error["message"]
    assert place.tags() == ["refs/heads/main"]
    assert any(path.is_file() for path in place.bucket.rglob("*"))
    hook.unlink()
    found = said(place.sandbox, "push", "--runs")
    assert found["runs"] == [FIRST]
    assert found["objects"] is None  # they were seen to be there


def test_a_git_remote_that_is_gone(place: Place) -> None:
    make_run(place.sandbox)
    shutil.rmtree(place.bare)
    place.sandbox.fails("push", "--runs", code=1, kind="git")
    place.sandbox.fails("fetch", "--runs", code=1, kind="git")


def test_objects_need_a_remote(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.write("a", "1")
    sandbox.commit()
    sandbox.git("init", "-q", "--bare", str(tmp_path / "bare.git"))
    sandbox.git("remote", "add", "origin", str(tmp_path / "bare.git"))
    make_run(sandbox, params={"lr": 1})
    sandbox.ok("push", "--runs")
    make_run(sandbox, SECOND, artifacts={"a": b"one"})
    sandbox.fails("push", "--runs", code=3, kind="no-remote")
    assert SECOND not in sandbox.git("ls-remote", "origin")


def test_a_run_whose_bytes_are_nowhere_is_not_published(place: Place) -> None:
    make_run(place.sandbox, artifacts={"a": b"one"})
    shutil.rmtree(place.sandbox.root / ".git/gitmlog/cache")
    error = place.sandbox.fails("push", "--runs", code=5, kind="missing-data")
    assert f"{FIRST}/a" in error["message"]
    assert place.tags() == ["refs/heads/main"]


def test_the_ancestors_that_a_run_publishes_bring_their_objects(place: Place) -> None:
    place.sandbox.write("data.bin", "old")
    place.sandbox.ok("add", "data.bin")
    place.sandbox.commit("old")
    place.sandbox.write("data.bin", "new")
    place.sandbox.ok("add", "data.bin")
    place.sandbox.commit("new")
    make_run(place.sandbox)
    found = said(place.sandbox, "push", "--runs")
    assert found["objects"]["sent"] == 2  # type: ignore[index]


@pytest.mark.parametrize(
    ("names", "asked", "used"),
    [
        (["one"], None, "one"),
        (["one", "origin"], None, "origin"),
        (["one", "two"], "two", "two"),
        (["one", "two"], None, None),
        ([], None, None),
        (["one"], "--upload-pack=touch x", None),
        (["one"], "other", None),
    ],
)
def test_which_git_remote(sandbox: Sandbox, tmp_path: Path, names: list[str], asked: str | None, used: str | None) -> None:
    sandbox.write("a", "1")
    sandbox.commit()
    make_run(sandbox)
    for name in names:
        sandbox.git("init", "-q", "--bare", str(tmp_path / name))
        sandbox.git("remote", "add", name, str(tmp_path / name))
    more = [f"--git-remote={asked}"] if asked else []
    if used is None:
        sandbox.fails("push", "--runs", *more, code=3, kind="no-git-remote")
    else:
        assert said(sandbox, "push", "--runs", *more)["git_remote"] == used


def test_the_remote_of_the_branch(place: Place, tmp_path: Path) -> None:
    place.sandbox.git("init", "-q", "--bare", str(tmp_path / "team"))
    place.sandbox.git("remote", "add", "team", str(tmp_path / "team"))
    place.sandbox.git("push", "-q", "-u", "team", "main")
    make_run(place.sandbox)
    assert said(place.sandbox, "push", "--runs")["git_remote"] == "team"


def test_a_remote_whose_name_is_an_option_is_none(place: Place) -> None:
    with (place.sandbox.root / ".git/config").open("a") as stream:
        stream.write('[remote "--upload-pack=touch ran"]\n\turl = .\n[branch "main"]\n\tremote = --upload-pack=touch ran\n')
    make_run(place.sandbox)
    assert said(place.sandbox, "push", "--runs")["git_remote"] == "origin"
    assert not (place.sandbox.root / "ran").exists()


@pytest.mark.parametrize("verb", ["push", "fetch", "pull"])
def test_runs_or_paths(place: Place, verb: str) -> None:
    place.sandbox.fails(verb, "--runs", "train.py", code=2, kind="usage")
    place.sandbox.fails(verb, "--git-remote", "origin", code=2, kind="usage")
    place.sandbox.fails(verb, "--where", "&&", code=2, kind="bad-query")


def test_push_says_which_runs_were_not_pushed(place: Place, clone: Clone) -> None:
    make_run(place.sandbox, artifacts={"a": b"one"})
    make_run(place.sandbox, SECOND)
    assert "2 runs were not pushed from here: gitmlog push --runs" in place.sandbox.here("push").err
    assert place.sandbox.here("push", "--json").err == ""
    place.sandbox.ok("push", "--run", FIRST)
    assert "1 run was not pushed from here" in place.sandbox.here("push").err
    place.sandbox.ok("push", "--runs")
    assert place.sandbox.here("push").err == ""
    other = clone("other")
    assert other.here("push").err == ""
    make_run(place.sandbox, "20990103-000000-bold-owl", artifacts={"a": b"later"})
    place.sandbox.ok("push", "--runs")
    other.git("fetch", "-q", "--tags")
    assert other.here("push").err == ""


def test_killed_after_any_chunk_it_goes_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run at a time, and the git remote refuses the second."""
    monkeypatch.setattr("gitmlog.git.exchange.CHUNK", 1)
    make_run(place.sandbox)
    make_run(place.sandbox, SECOND)
    hook = place.bare / "hooks/update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\n[ "$1" != refs/tags/run/{SECOND} ]\n')
    hook.chmod(0o755)
    place.sandbox.fails("push", "--runs", code=1, kind="git")
    assert f"refs/tags/run/{FIRST}" in place.tags()
    hook.unlink()
    found = said(place.sandbox, "push", "--runs")
    assert (found["runs"], found["present"]) == ([SECOND], 1)
