"""Sparse checkouts and the forms of the index that libgit2 does not read."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.runs import make_run

pytestmark = pytest.mark.long

SPLIT = [["config", "core.splitIndex", "true"], ["update-index", "--split-index"]]
FORMS = {
    "whole": [["sparse-checkout", "init", "--cone", "--no-sparse-index"]],
    "sparse index": [["sparse-checkout", "init", "--cone", "--sparse-index"]],
    "split": [["sparse-checkout", "init", "--cone", "--no-sparse-index"], *SPLIT],
    "patterns": [["sparse-checkout", "init", "--no-cone"], ["config", "core.sparseCheckoutCone", "false"]],
}


def prepare(box: Sandbox, form: str) -> None:
    for words in FORMS[form]:
        box.git(*words)


@pytest.fixture
def box(sandbox: Sandbox, tmp_path: Path) -> Sandbox:
    """Models in three places, pushed to a remote whose address is committed."""
    for name in ("top.pt", "near/a.pt", "far/b.pt", "far/away/c.pt"):
        sandbox.write(name, f"bytes of {name}")
    assert sandbox.here("add", "top.pt", "near/a.pt", "far/b.pt", "far/away/c.pt").code == 0
    sandbox.write("far/code.py", "pass\n")
    sandbox.commit()
    assert sandbox.here("remote", "add", "store", str(tmp_path / "store")).code == 0
    assert sandbox.here("push").code == 0
    return sandbox


def conditions(box: Sandbox, *paths: str) -> dict[str, list[str]]:
    done = box.here("status", "--json", *paths)
    assert done.code == 0, done
    return {item["path"]: item["conditions"] for item in json.loads(done.out)["paths"]}


def entries(box: Sandbox) -> str:
    """What git has in its index, with its flags."""
    return box.git("ls-files", "--stage", "-t")


@pytest.mark.parametrize("form", FORMS)
def test_metafiles_outside_are_not_missed(box: Sandbox, form: str) -> None:
    prepare(box, form)
    box.git("sparse-checkout", "set", *(["/near/"] if form == "patterns" else ["near"]))
    assert not (box.root / "far/b.pt.gitmlog").exists()
    assert box.here("checkout").code == 0  # git took the ignored bytes away with a folder that left the cone
    top = ["left-out"] if form == "patterns" else []
    left = {"far/away/c.pt": ["left-out"], "far/b.pt": ["left-out"]}
    assert conditions(box) == left | {"near/a.pt": [], "top.pt": top}
    assert "not in this sparse checkout" in box.here("status").out
    assert "far/b.pt" not in box.here("status").out
    assert box.here("status", "--exit-code").code == 0
    assert "store" in box.here("remote", "list").out
    for command in ("checkout", "pull", "fetch", "push", "verify"):
        done = box.here(command)
        assert done.code == 0, (command, done)
    assert not (box.root / "far/b.pt.gitmlog").exists()
    assert box.git("status", "--porcelain") == ""


@pytest.mark.parametrize("form", FORMS)
def test_what_is_outside_is_named_with_the_way_in(box: Sandbox, form: str) -> None:
    prepare(box, form)
    box.git("sparse-checkout", "set", "near")
    (box.root / "far/b.pt").unlink(missing_ok=True)
    for command in (["checkout", "far/b.pt"], ["checkout", "far"], ["pull", "far/b.pt"], ["rm", "far/b.pt"],
                    ["checkout", "--rev", "HEAD", "far/b.pt"]):  # fmt: skip
        error = box.fails(*command, code=3, kind="left-out")
        assert "git sparse-checkout add far" in error["hint"]
    assert "left-out" in box.here("status", "far/b.pt").out
    assert conditions(box, "far/b.pt") == {"far/b.pt": ["left-out"]}
    box.git("sparse-checkout", "add", "far")
    assert box.here("checkout").code == 0
    assert (box.root / "far/b.pt").read_text() == "bytes of far/b.pt"
    assert conditions(box)["far/b.pt"] == []
    assert box.git("status", "--porcelain") == ""


@pytest.mark.parametrize("form", FORMS)
def test_add_and_commit_inside(box: Sandbox, form: str) -> None:
    """The rest of the index stays as it was, and git reads what was staged."""
    prepare(box, form)
    box.git("sparse-checkout", "set", "near")
    before = [line for line in entries(box).splitlines() if "near/" not in line]
    box.write("near/a.pt", "better")
    box.write("near/new.pt", "new")
    assert box.here("add", "near/a.pt", "near/new.pt").code == 0
    assert box.git("status", "--porcelain").split() == [
        "M",
        "near/.gitignore",
        "M",
        "near/a.pt.gitmlog",
        "A",
        "near/new.pt.gitmlog",
    ]
    assert [line for line in entries(box).splitlines() if "near/" not in line] == before
    box.git("commit", "-q", "-m", "better")
    assert box.git("show", "--stat", "--format=", "HEAD").count("|") == 3
    assert box.git("status", "--porcelain") == ""
    assert box.git("fsck", "--strict", "--no-dangling") == ""


@pytest.mark.parametrize("form", FORMS)
def test_what_is_outside_is_not_added(box: Sandbox, form: str) -> None:
    prepare(box, form)
    box.git("sparse-checkout", "set", "near")
    before = entries(box)
    box.write("far/b.pt", "another")
    box.fails("add", "far/b.pt", code=3, kind="left-out")
    assert entries(box) == before
    assert not (box.root / "far/b.pt.gitmlog").exists()


@pytest.mark.parametrize("form", FORMS)
def test_a_push_sends_new_commits_whole(box: Sandbox, form: str, tmp_path: Path) -> None:
    """Also what they have outside: the colleague who has all of it needs it."""
    box.write("far/b.pt", "second")
    assert box.here("add", "far/b.pt").code == 0
    box.commit()
    prepare(box, form)
    box.git("sparse-checkout", "set", "near")
    assert box.here("push").code == 0
    box.git("clone", "-q", str(box.root), str(tmp_path / "other"))
    other = Sandbox(tmp_path / "other")
    assert other.here("pull").code == 0
    assert (other.root / "far/b.pt").read_text() == "second"


@pytest.mark.parametrize("form", FORMS)
def test_gc_keeps_what_is_only_outside(box: Sandbox, form: str) -> None:
    """Staged, never committed: nothing but the index of this form reaches it."""
    box.write("far/b.pt", "only staged")
    assert box.here("add", "far/b.pt").code == 0
    for words in SPLIT if form == "split" else []:
        box.git(*words)
    box.git("update-index", "--skip-worktree", "far/b.pt.gitmlog")
    (box.root / "far/b.pt.gitmlog").unlink()
    (box.root / "far/b.pt").unlink()
    if form != "split":
        prepare(box, form)
    assert box.here("gc", "--prune", "--unpushed", "--grace", "0").code == 0
    box.git("update-index", "--no-skip-worktree", "far/b.pt.gitmlog")
    box.git("checkout", "--", "far/b.pt.gitmlog")
    assert box.here("checkout", "far/b.pt").code == 0
    assert (box.root / "far/b.pt").read_text() == "only staged"


@pytest.mark.parametrize("form", FORMS)
def test_the_code_of_a_run_is_whole(box: Sandbox, form: str) -> None:
    prepare(box, form)
    box.git("sparse-checkout", "set", "near")
    box.write("near/train.py", "new\n")
    done = box.here("run", "--", sys.executable, "-c", "open('near/out.pt', 'w').write('trained')")
    assert done.code == 0, done
    names = box.git("ls-tree", "-r", "--name-only", box.git("tag", "-l", "run/*").strip()).split()
    assert {"far/b.pt.gitmlog", "far/code.py", "near/train.py", "top.pt.gitmlog"} <= set(names)
    assert not {"near/a.pt", "far/b.pt"} & set(names)


def test_a_gitignore_outside_counts_all_the_same(box: Sandbox) -> None:
    """Only the metafile is wanted: its .gitignore is in the index alone, and git obeys it there."""
    prepare(box, "patterns")
    box.git("sparse-checkout", "set", "/near/a.pt.gitmlog")
    assert not (box.root / "near/.gitignore").exists()
    assert box.here("checkout").code == 0
    box.git("config", "core.bigFileThreshold", "1k")
    assert box.here("config", "status.large", "5").code == 0
    assert "large" not in box.here("status").out
    box.write("near/a.pt", "better")
    assert box.here("add", "near/a.pt").code == 0
    assert [line for line in box.git("status", "--porcelain").splitlines() if ".gitignore" in line] == []
    assert box.git("diff", "--cached", "--name-only").split() == ["near/a.pt.gitmlog"]


def test_the_committed_settings_are_found_outside(box: Sandbox, tmp_path: Path) -> None:
    """In cone mode `.gitmlog/` is a folder like any other."""
    prepare(box, "sparse index")
    box.git("sparse-checkout", "set", "near")
    assert not (box.root / ".gitmlog/config.toml").exists()
    assert "store" in box.here("remote", "list").out
    assert box.here("config", "--shared", "remote.store.url").out.endswith("/store\n")
    assert box.here("remote", "add", "second", str(tmp_path / "second")).code == 0
    assert {"store", "second"} <= set(box.here("remote", "list").out.split())
    assert "store" in box.git("show", "HEAD:.gitmlog/config.toml")
    assert box.git("status", "--porcelain") == ""


def test_both_sides_of_a_conflict_in_a_split_index(sandbox: Sandbox) -> None:
    sandbox.write("m", "first")
    assert sandbox.here("add", "m").code == 0
    sandbox.commit()
    for branch in ("ours", "theirs"):
        sandbox.git("switch", "-q", "-c", branch, "main")
        sandbox.here("checkout")
        sandbox.write("m", branch)
        assert sandbox.here("add", "m").code == 0
        sandbox.git("commit", "-q", "-am", branch)
    for words in SPLIT:
        sandbox.git(*words)
    assert sandbox.run("git", "merge", "-q", "ours").code == 1
    assert list((sandbox.root / ".git").glob("sharedindex.*"))
    assert sandbox.here("gc", "--prune", "--unpushed", "--grace", "0").code == 0
    assert sandbox.here("checkout", "--theirs", "m").code == 0
    assert (sandbox.root / "m").read_text() == "ours"
    assert sandbox.git("ls-files", "--unmerged") == ""
    sandbox.git("commit", "-q", "-m", "merged")
    assert sandbox.git("status", "--porcelain") == ""


def test_the_split_index_of_another_worktree(box: Sandbox, tmp_path: Path) -> None:
    """gc reads the indexes of all worktrees; the shared part of each lies beside it."""
    box.git("worktree", "add", "-q", str(tmp_path / "tree"))
    tree = Sandbox(tmp_path / "tree")
    tree.write("only.pt", "staged there alone")
    assert tree.here("add", "only.pt").code == 0
    tree.git("update-index", "--split-index")
    (tree.root / "only.pt.gitmlog").unlink()
    (tree.root / "only.pt").unlink()
    assert box.here("gc", "--prune", "--unpushed", "--grace", "0").code == 0
    tree.git("checkout", "--", "only.pt.gitmlog")
    assert tree.here("checkout", "only.pt").code == 0
    assert (tree.root / "only.pt").read_text() == "staged there alone"


def test_an_edit_in_the_tick_of_the_index_is_seen(sandbox: Sandbox) -> None:
    """The copy that is read must not look newer than the index, or libgit2 would believe what git doubts."""
    sandbox.write("code.py", "one\n")
    sandbox.commit()
    sandbox.git("update-index", "--split-index")
    index, code = sandbox.root / ".git/index", sandbox.root / "code.py"
    sandbox.git("update-index", "--really-refresh")
    stamp = code.stat().st_mtime_ns
    code.write_text("two\n")
    os.utime(code, ns=(stamp, stamp))
    os.utime(index, ns=(stamp, stamp))
    if sandbox.git("diff", "--name-only") == "":
        pytest.skip("the clock was too coarse or too fine for it")
    from gitmlog.git.repository import GitRepo

    assert list(GitRepo.discover(sandbox.root).status()) == ["code.py"]


def test_no_filter_runs_for_a_split_index(sandbox: Sandbox, tmp_path: Path) -> None:
    ran, script = tmp_path / "ran", tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho $0 >> {ran}\ncat\n")
    script.chmod(0o755)
    sandbox.write("code.py", "one\n")
    sandbox.commit()
    for key in ("core.fsmonitor", "filter.x.clean", "filter.x.smudge", "filter.x.process"):
        sandbox.git("config", key, str(script))
    sandbox.write(".gitattributes", "* filter=x\n")
    sandbox.git("update-index", "--split-index")
    ran.unlink(missing_ok=True)
    sandbox.write("code.py", "two\n")
    assert sandbox.here("status").code == 0
    assert not ran.exists(), ran.read_text()


def test_a_split_index_that_lost_its_other_part(sandbox: Sandbox) -> None:
    sandbox.write("m", "x")
    assert sandbox.here("add", "m").code == 0
    sandbox.git("update-index", "--split-index")
    for path in (sandbox.root / ".git").glob("sharedindex.*"):
        path.unlink()
    sandbox.fails("status", code=1, kind="unsupported-index")
    sandbox.fails("gc", "--prune", code=1, kind="unsupported-index")


def test_a_split_index_of_somebody_else_is_never_read_by_git(box: Sandbox, make_sandbox, tmp_path: Path) -> None:
    """`get` out of a folder: that repository's configuration may name commands."""
    box.git("update-index", "--split-index")
    other = make_sandbox("other")
    assert other.here("get", str(box.root), "top.pt").code == 0
    assert (other.root / "top.pt").read_text() == "bytes of top.pt"


def test_a_long_life_sees_each_new_index(sandbox: Sandbox) -> None:
    """One open repository, while git writes the index in every form."""
    from gitmlog.git.repository import GitRepo

    sandbox.write("a", "a")
    sandbox.commit()
    repo = GitRepo.discover(sandbox.root)
    assert repo.is_tracked("a")
    for number, words in enumerate((["--split-index"], ["--no-split-index"], ["--split-index"])):
        sandbox.git("update-index", *words)
        sandbox.write(f"f{number}", "x")
        sandbox.git("add", f"f{number}")
        assert f"f{number}" in repo.status()
        repo.refresh_index()
        assert repo.is_tracked(f"f{number}")
    (sandbox.root / ".git/index").unlink()
    repo.refresh_index()
    assert not repo.is_tracked("a")


def test_threads_each_with_its_own_handle(box: Sandbox) -> None:
    box.git("update-index", "--split-index")
    said: list[int] = []
    threads = [threading.Thread(target=lambda: said.append(box.gitmlog("status").code)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == [0, 0, 0]


@pytest.mark.parametrize("form", FORMS)
def test_a_run_is_accepted(box: Sandbox, form: str) -> None:
    """What it changed outside stays outside, as in git's own merge."""
    inside = make_run(box, "20260101-000001-near-fox", outputs={"near/a.pt": b"trained"})
    prepare(box, form)
    box.git("sparse-checkout", "set", "near")
    assert box.here("checkout").code == 0
    done = box.here("runs", "accept", inside.record.id)
    assert done.code == 0, done
    assert (box.root / "near/a.pt").read_text() == "trained"
    assert box.git("status", "--porcelain") == ""
    outside = make_run(box, "20260101-000002-far-fox", outputs={"far/b.pt": b"trained far"})
    done = box.here("runs", "accept", outside.record.id)
    assert done.code == 0, done
    assert box.git("status", "--porcelain") == ""
    assert box.git("rev-parse", "HEAD").strip() == outside.commit
    assert not (box.root / "far/b.pt.gitmlog").exists()
    assert conditions(box, "far/b.pt") == {"far/b.pt": ["left-out"]}
    box.git("sparse-checkout", "disable")
    assert box.here("checkout").code == 0
    assert (box.root / "far/b.pt").read_text() == "trained far"
    assert box.git("status", "--porcelain") == ""


def test_a_split_index_stays_split(box: Sandbox) -> None:
    """With core.splitIndex; both parts are git's own to read after each of our writes, and after its housekeeping."""
    for words in SPLIT:
        box.git(*words)
    box.git("config", "splitIndex.maxPercentChange", "0")  # a new shared part at every write
    box.git("config", "splitIndex.sharedIndexExpire", "now")
    for number in range(3):
        box.write("near/a.pt", f"version {number}")
        assert box.here("add", "near/a.pt").code == 0
        assert list((box.root / ".git").glob("sharedindex.*"))
        assert box.git("diff", "--cached", "--name-only").split() == ["near/a.pt.gitmlog"]
        assert box.git("fsck", "--no-dangling") == ""
        box.git("commit", "-q", "-m", f"version {number}")
        assert conditions(box)["near/a.pt"] == ["not-pushed"]


def test_a_pygit2_that_cannot_do_it(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built in another way, without the function that is borrowed from libgit2: said, and nothing done."""
    import ctypes

    box.git("update-index", "--split-index")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    error = box.fails("status", code=1, kind="unsupported-index")
    assert "built without" in error["message"]
    box.write("near/a.pt", "better")
    box.fails("add", "near/a.pt", code=1, kind="unsupported-index")
    assert box.git("status", "--porcelain") == ""


def test_a_form_that_nobody_knows(box: Sandbox) -> None:
    """An extension that must be understood, of some later git."""
    index = box.root / ".git/index"
    whole = index.read_bytes()
    data = whole[:-20] + b"zzzz" + (4).to_bytes(4, "big") + b"what"
    index.write_bytes(data + hashlib.sha1(data, usedforsecurity=False).digest())
    error = box.fails("status", code=1, kind="unsupported-index")
    assert "rm " not in error["hint"]
    box.fails("gc", "--prune", code=1, kind="unsupported-index")
    index.write_bytes(whole)
    assert box.here("status").code == 0
