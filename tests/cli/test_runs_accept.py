"""runs accept: the branch, the index and the files become the run's, and nothing that is not saved is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import gitmlog
from tests.conftest import Sandbox
from tests.runs import FIRST, Made, make_run

OTHER = "20260102-000000-calm-fox"


@pytest.fixture
def base(sandbox: Sandbox) -> Sandbox:
    """A repository with a script."""
    sandbox.write("train.py", "print(1)\n")
    sandbox.write("notes.txt", "one\ntwo\nthree\n")
    sandbox.commit("first")
    return sandbox


def edit_and_run(sandbox: Sandbox) -> Made:
    """What a user does: edit, write a new file, run. All of it is in the run, nothing in git's index."""
    sandbox.write("train.py", "print(2)\n")
    sandbox.write("lib/new.py", "x = 1\n")
    files = {"train.py": "print(2)\n", "lib/new.py": "x = 1\n"}
    return make_run(sandbox, files=files, artifacts={"plot.png": b"plot"}, metrics={"acc": [(0, 0.5)]})


def head(sandbox: Sandbox) -> str:
    return sandbox.git("rev-parse", "HEAD").strip()


def accept(sandbox: Sandbox, *arguments: str) -> dict[str, object]:
    done = sandbox.here("runs", "accept", *arguments, "--json")
    assert done.code == 0, done
    found: dict[str, object] = json.loads(done.out)
    return found


def clean(sandbox: Sandbox) -> bool:
    return sandbox.git("status", "--porcelain") == ""


def test_what_was_edited_and_run_is_accepted_where_git_merge_would_refuse(base: Sandbox) -> None:
    made = edit_and_run(base)
    assert base.run("git", "merge", "-q", f"run/{FIRST}").code != 0
    done = base.here("runs", "accept", "last")
    assert done.code == 0, done
    assert "fast-forward" in done.out
    assert head(base) == made.commit
    assert clean(base)
    assert (base.root / f".gitmlog/runs/{FIRST}/run.toml").exists()
    assert base.git("symbolic-ref", "HEAD").strip() == "refs/heads/main"
    assert "gitmlog runs accept" in base.git("reflog", "-1")


def test_a_run_of_before_is_written_out(base: Sandbox) -> None:
    os.chmod(base.write("run.sh", "#!/bin/sh\n"), 0o755)
    start = base.commit("script")
    base.write("link-target", "x")
    base.git("checkout", "-q", "-b", "side")
    (base.root / "link").symlink_to("link-target")
    (base.root / "notes.txt").unlink()
    base.write("run.sh", "#!/bin/sh\nset -e\n")
    base.write("deep/er/file", "1")
    base.commit("side")
    made = make_run(base)
    base.git("checkout", "-q", "main")
    assert head(base) == start
    found = accept(base, FIRST)
    assert (found["how"], found["commit"], found["before"]) == ("fast-forward", made.commit, start)
    assert clean(base)
    assert os.readlink(base.root / "link") == "link-target"
    assert os.access(base.root / "run.sh", os.X_OK)
    assert not (base.root / "notes.txt").exists()
    assert (base.root / "deep/er/file").read_text() == "1"


def test_a_branch_that_went_on_is_merged(base: Sandbox) -> None:
    made = edit_and_run(base)
    base.git("checkout", "-q", "--", "train.py")
    base.write("README", "words\n")
    base.git("add", "README")
    base.git("commit", "-q", "-m", "more")
    before = head(base)
    found = accept(base, FIRST)
    assert found["how"] == "merge"
    assert base.git("log", "-1", "--format=%P").split() == [before, made.commit]
    assert base.git("log", "-1", "--format=%an <%ae>").strip() == "Ada <ada@example.org>"
    assert clean(base)
    assert (base.root / "train.py").read_text() == "print(2)\n"
    assert (base.root / "README").exists()
    assert base.run("git", "fsck", "--strict", "--no-dangling", check=True).out == ""


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("merged", [False, True])
def test_what_is_said_to_undo_it_undoes_it(base: Sandbox, merged: bool, detached: bool) -> None:
    make_run(base, files={"train.py": "print(2)\n", "lib/new.py": "x = 1\n"})
    if merged:
        base.write("notes.txt", "four\n")
        base.commit("meanwhile")
    if detached:
        base.git("checkout", "-q", "--detach")
    before = head(base)
    base.write("mine.txt", "mine\n")
    last = base.here("runs", "accept", "last").out.splitlines()[-1]
    assert head(base) != before
    base.write("lib/more.py", "x = 2\n")
    assert last.startswith("undo: git checkout ")
    base.git(*last.removeprefix("undo: git ").split())
    assert head(base) == before
    assert base.git("status", "--porcelain") == "?? lib/\n?? mine.txt\n"
    assert base.git("branch", "--show-current") == ("" if detached else "main\n")


def test_undoing_brings_tracked_files_back(base: Sandbox) -> None:
    base.write("model.pt", "old")
    base.here("add", "model.pt")
    before = base.commit("model")
    make_run(base, outputs={"model.pt": b"new"})
    done = base.here("runs", "accept", "last")
    assert done.out.splitlines()[-1] == f"undo: git checkout -B main {before[:10]} && gitmlog checkout"
    assert (base.root / "model.pt").read_text() == "new"
    base.git("checkout", "-q", "-B", "main", before)
    assert base.here("checkout").code == 0
    assert (base.root / "model.pt").read_text() == "old"


def test_what_speaks_against_a_run_is_said(base: Sandbox) -> None:
    make_run(base, status="FAILED", error="ValueError: \x1b[31mbad", exit=1, warnings=("output model.pt was not written",))
    done = base.here("runs", "accept", "last")
    assert done.err.splitlines() == [
        "note: the run FAILED: ValueError: ?[31mbad",
        "note: the run's warning: output model.pt was not written",
    ]
    make_run(base, OTHER, status="KILLED")
    assert "the run was KILLED" in str(accept(base, "last", "--no-checkout")["notes"])


def test_what_does_not_differ_is_not_touched(base: Sandbox) -> None:
    edit_and_run(base)
    base.write("notes.txt", "mine\n")
    base.write("README", "staged\n")
    base.git("add", "README")
    accept(base, FIRST)
    assert (base.root / "notes.txt").read_text() == "mine\n"
    assert base.git("status", "--porcelain").splitlines() == ["A  README", " M notes.txt"]


@pytest.mark.parametrize("where", ["working", "untracked", "index", "folder"])
def test_what_would_be_lost_stops_all(base: Sandbox, where: str) -> None:
    edit_and_run(base)
    if where == "working":
        base.write("train.py", "print('mine')\n")
    elif where == "untracked":
        base.write("lib/new.py", "mine")
    elif where == "index":
        base.write("train.py", "print('mine')\n")
        base.git("add", "train.py")
        base.write("train.py", "print(2)\n")
    else:
        (base.root / "lib/new.py").unlink()
        base.write("lib/new.py/mine", "mine")
    before = head(base), base.git("status", "--porcelain"), base.git("ls-files", "-s")
    error = base.fails("runs", "accept", FIRST, code=6, kind="would-overwrite")
    assert ("train.py" if where in ("working", "index") else "lib/new.py") in error["message"]
    assert "stash" in error["hint"]
    assert (head(base), base.git("status", "--porcelain"), base.git("ls-files", "-s")) == before


def test_both_changed_the_same_lines(base: Sandbox) -> None:
    edit_and_run(base)
    base.git("checkout", "-q", "--", "train.py")
    base.write("train.py", "print(3)\n")
    base.git("commit", "-q", "-am", "mine")
    error = base.fails("runs", "accept", FIRST, code=6, kind="merge-conflict")
    assert "train.py" in error["message"]
    assert error["hint"] == f"git merge run/{FIRST}"
    assert base.git("status", "--porcelain", "-uno") == ""


def test_accepting_twice_says_so(base: Sandbox) -> None:
    edit_and_run(base)
    accept(base, FIRST)
    done = base.here("runs", "accept", FIRST)
    assert done.code == 0
    assert "already" in done.out


def test_a_detached_head_moves_itself(base: Sandbox) -> None:
    base.git("checkout", "-q", "--detach")
    made = edit_and_run(base)
    assert accept(base, FIRST)["branch"] == "HEAD"
    assert head(base) == made.commit
    assert base.git("rev-parse", "main").strip() != made.commit


def test_an_unborn_branch_becomes_the_run(sandbox: Sandbox) -> None:
    sandbox.write("train.py", "print(1)\n")
    made = make_run(sandbox, files={"train.py": "print(1)\n"})
    found = accept(sandbox, FIRST)
    assert (found["before"], found["commit"]) == ("", made.commit)
    assert head(sandbox) == made.commit
    assert sandbox.git("status", "--porcelain", "-uno") == ""


def test_a_linked_worktree_has_its_own_branch(base: Sandbox, tmp_path: Path) -> None:
    made = make_run(base, files={"train.py": "print(2)\n"})
    base.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    assert base.here("runs", "accept", FIRST, cwd=tmp_path / "side").code == 0
    assert base.git("rev-parse", "side").strip() == made.commit
    assert base.git("rev-parse", "main").strip() != made.commit
    assert base.git("status", "--porcelain", cwd=tmp_path / "side") == ""
    assert (base.root / "train.py").read_text() == "print(1)\n"


def test_not_while_a_merge_is_under_way(base: Sandbox) -> None:
    edit_and_run(base)
    (base.root / ".git/MERGE_HEAD").write_text(f"{head(base)}\n")
    base.fails("runs", "accept", FIRST, code=1, kind="under-way")


def test_line_ends_are_written_as_git_would(base: Sandbox) -> None:
    base.write(".gitattributes", "*.txt text eol=crlf\n")
    base.commit("attributes")
    make_run(base, files={"other.txt": "a\nb\n", "notes.txt": "one\n2\n"})
    base.git("checkout", "-q", "--", "notes.txt")
    (base.root / "notes.txt").write_bytes(b"one\r\ntwo\r\nthree\r\n")
    accept(base, FIRST)
    assert (base.root / "other.txt").read_bytes() == b"a\r\nb\r\n"
    assert (base.root / "notes.txt").read_bytes() == b"one\r\n2\r\n"
    assert clean(base)


def test_attributes_that_come_with_the_run_hold_for_its_files(base: Sandbox) -> None:
    make_run(base, files={"a.txt": "a\nb\n", "z/.gitattributes": "*.txt eol=crlf\n", "z/b.txt": "a\nb\n"})
    accept(base, FIRST)
    assert (base.root / "z/b.txt").read_bytes() == b"a\r\nb\r\n"
    assert (base.root / "a.txt").read_bytes() == b"a\nb\n"
    assert clean(base)


def test_autocrlf(base: Sandbox) -> None:
    base.git("config", "core.autocrlf", "true")
    (base.root / "train.py").write_bytes(b"print(2)\r\n")
    make_run(base, files={"train.py": "print(2)\n", "new.txt": "a\nb\n"})
    accept(base, FIRST)
    assert (base.root / "new.txt").read_bytes() == b"a\r\nb\r\n"
    assert clean(base)


def test_no_filter_of_the_configuration_is_run(base: Sandbox) -> None:
    base.write(".gitattributes", "*.bin filter=evil\n")
    base.commit("attributes")
    for driver in ("clean", "smudge"):
        base.git("config", f"filter.evil.{driver}", f"touch {base.root}/ran; cat")
    make_run(base, files={"a.bin": "1"})
    done = base.here("runs", "accept", FIRST)
    assert done.code == 0, done
    assert (base.root / "a.bin").read_text() == "1"
    assert "no filter" in done.err
    assert not (base.root / "ran").exists()


@pytest.mark.parametrize("path", [".git/hooks/post-checkout", "a/.GIT/config", "x/../../up"])
def test_a_hostile_name_is_refused(base: Sandbox, path: str, tmp_path: Path) -> None:
    made = make_run(base)
    blob = base.run("git", "hash-object", "-w", "train.py", check=True).out.strip()
    tree = hostile_tree(base, path.split("/"), blob)
    commit = base.git("commit-tree", tree, "-p", "HEAD", "-m", "x").strip()
    text = base.git("cat-file", "tag", f"run/{FIRST}").replace(made.commit, commit)
    file = tmp_path / "tag"
    file.write_text(text)
    tag = base.git("hash-object", "-t", "tag", "-w", str(file)).strip()
    base.git("update-ref", f"refs/tags/run/{FIRST}", tag)
    base.fails("runs", "accept", FIRST, code=6, kind="bad-name")
    assert base.git("status", "--porcelain") == ""


def hostile_tree(sandbox: Sandbox, parts: list[str], blob: str) -> str:
    """A tree that git itself would not write."""
    mode, oid = "100644", blob
    for name in reversed(parts):
        raw = f"{mode} {name}\0".encode() + bytes.fromhex(oid)
        file = sandbox.root / ".git/tree-of-test"
        file.write_bytes(raw)
        oid = sandbox.git("hash-object", "-t", "tree", "-w", "--literally", str(file)).strip()
        file.unlink()
        mode = "40000"
    return oid


def test_a_linked_folder_is_not_written_through(base: Sandbox, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (base.root / "lib").symlink_to(outside)
    make_run(base, files={"lib/new.py": "x = 1\n"})
    base.fails("runs", "accept", FIRST, code=6, kind="would-overwrite")
    assert list(outside.iterdir()) == []


def test_a_file_gives_way_to_a_folder_and_back(base: Sandbox) -> None:
    base.write("thing", "file")
    base.write("place/a", "1")
    base.write("place/b/c", "2")
    base.commit("both")
    make_run(base, files={"thing": None, "thing/inner": "new", "place/a": None, "place/b/c": None, "place": "now a file"})
    accept(base, FIRST)
    assert (base.root / "thing/inner").read_text() == "new"
    assert (base.root / "place").read_text() == "now a file"
    assert clean(base)


def test_a_submodule_is_only_moved_in_the_index(base: Sandbox) -> None:
    other = base.git("rev-parse", "HEAD").strip()
    base.git("update-index", "--add", "--cacheinfo", f"160000,{other},sub")
    base.git("commit", "-q", "-m", "sub")
    make_run(base, files={"train.py": "print(2)\n"})
    base.git("reset", "-q", "--hard", "HEAD~1")
    done = base.here("runs", "accept", FIRST)
    assert done.code == 0, done
    assert "submodule sub" in done.err
    assert base.git("ls-files", "-s", "sub").startswith("160000")


def test_outputs_are_checked_out_or_said(base: Sandbox) -> None:
    make_run(base, files={".gitignore": "/model.pt\n"}, outputs={"model.pt": b"weights"})
    done = base.here("runs", "accept", FIRST)
    assert done.code == 0, done
    assert (base.root / "model.pt").read_bytes() == b"weights"
    assert "model.pt" in done.out


def test_an_output_of_ones_own_is_left(base: Sandbox) -> None:
    base.write("model.pt", "mine")
    make_run(base, files={".gitignore": "/model.pt\n"}, outputs={"model.pt": b"weights"})
    done = base.here("runs", "accept", FIRST)
    assert done.code == 0, done
    assert (base.root / "model.pt").read_text() == "mine"
    assert "gitmlog checkout model.pt" in done.err


def test_an_output_that_is_not_here_is_said(base: Sandbox) -> None:
    make_run(base, files={".gitignore": "/model.pt\n"}, outputs={"model.pt": b"weights"})
    for file in [path for path in (base.root / ".git/gitmlog/cache").rglob("*") if path.is_file()]:
        os.chmod(file, 0o644)
        file.unlink()
    done = base.here("runs", "accept", FIRST)
    assert done.code == 0, done
    assert "gitmlog pull model.pt" in done.err


def test_no_checkout(base: Sandbox) -> None:
    make_run(base, files={".gitignore": "/model.pt\n"}, outputs={"model.pt": b"weights"})
    assert accept(base, FIRST, "--no-checkout")["outputs"] == []
    assert not (base.root / "model.pt").exists()


def test_no_such_run(base: Sandbox) -> None:
    base.fails("runs", "accept", OTHER, code=3, kind="no-run")


def test_two_runs_from_one_commit_can_be_accepted_one_after_the_other(sandbox: Sandbox) -> None:
    """Both wrote the model, each a file of its own too; nobody edits a metafile, so the run that is accepted last has it."""
    sandbox.write("train.py", "code")
    sandbox.commit("start")
    for name in ("one", "two"):
        outputs = [sandbox.root / "model.pt", sandbox.root / f"{name}.txt"]
        with gitmlog.start_run(name, outputs=outputs, repo=sandbox.root):
            sandbox.write("model.pt", f"weights {name}")
            sandbox.write(f"{name}.txt", name)
    sandbox.ok("runs", "accept", "one")
    assert (sandbox.root / "model.pt").read_text() == "weights one"
    sandbox.ok("runs", "accept", "two")
    assert (sandbox.root / "model.pt").read_text() == "weights two"
    assert set((sandbox.root / ".gitignore").read_text().split()) == {"/model.pt", "/one.txt", "/two.txt"}
    assert sandbox.git("status", "--porcelain") == ""
    assert "3 paths as tracked" in sandbox.ok("status")
    assert len(sandbox.git("log", "-1", "--format=%P").split()) == 2
