"""`gitmlog ci report`: what it says of a branch, from git's objects alone."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Sandbox
from tests.runs import make_run


@pytest.fixture
def repo(sandbox: Sandbox, tmp_path: Path) -> Sandbox:
    """Tracked paths and a remote on main; the branch `better` is checked out, and has nothing yet."""
    for path, text in (("model.pt", "one"), ("old.pt", "old"), ("data/a", "a"), ("data/b", "b"), ("gone.pt", "gone")):
        sandbox.write(path, text)
    assert sandbox.here("add", "model.pt", "old.pt", "data", "gone.pt").code == 0
    sandbox.commit("first")
    assert sandbox.here("remote", "add", "lab", str(tmp_path / "objects")).code == 0
    assert sandbox.here("push").code == 0
    sandbox.git("switch", "-q", "-c", "better")
    return sandbox


def report(box: Sandbox, *arguments: str, cwd: Path | None = None) -> dict[str, Any]:
    done = box.here("ci", "report", *arguments, "--json", cwd=cwd)
    assert done.code == 0, done
    found: dict[str, Any] = json.loads(done.out)
    return found


def change(box: Sandbox) -> None:
    box.write("model.pt", "two two")
    box.write("new.pt", "new")
    box.write("data/c", "c")
    (box.root / "data/b").unlink()
    assert box.here("add", "model.pt", "new.pt", "data").code == 0
    assert box.here("mv", "old.pt", "older.pt").code == 0
    assert box.here("rm", "gone.pt").code == 0
    box.commit("changes")


def test_a_line_for_each_tracked_path(repo: Sandbox) -> None:
    change(repo)
    found = report(repo, "main...HEAD")
    assert {each["path"]: (each["change"], each["words"]) for each in found["paths"]} == {
        "data": ("changed", "2 files, 2 B, other bytes"),
        "gone.pt": ("removed", "removed, was 4 B"),
        "model.pt": ("changed", "7 B, was 3 B"),
        "new.pt": ("added", "added, 3 B"),
        "older.pt": ("renamed", "renamed from old.pt, 3 B"),
    }
    assert found["paths"][0]["files"] == {"added": ["c"], "removed": ["b"], "changed": []}
    assert found["totals"] == {"added": 1, "removed": 1, "changed": 2, "renamed": 1, "new_bytes": 12}
    assert found["attention"] is False
    assert found["remote"] == {"name": "", "not_checked": "not asked for", "missing": []}


def test_the_base_has_moved_on(repo: Sandbox) -> None:
    """What happened on main since is not the branch's doing."""
    change(repo)
    repo.git("switch", "-q", "main")
    repo.write("other.pt", "other")
    assert repo.here("add", "other.pt").code == 0
    repo.commit("meanwhile")
    found = report(repo, "main...better")
    assert "other.pt" not in {each["path"] for each in found["paths"]}
    assert found["base"] != found["merge_base"]


def test_without_a_working_tree(repo: Sandbox, tmp_path: Path) -> None:
    """As in a pipeline: nothing is checked out, HEAD is unborn, no object is in the cache, nothing is written."""
    change(repo)
    clone = tmp_path / "clone"
    repo.git("init", "-q", str(clone))
    repo.git("fetch", "-q", str(repo.root), "main:refs/review/base", "better:refs/review/head", cwd=clone)
    found = report(repo, "refs/review/base...refs/review/head", cwd=clone)
    assert len(found["paths"]) == 5
    assert found["paths"][0]["files"] is None
    assert os.listdir(clone) == [".git"]
    assert not (clone / ".git/gitmlog").exists()


def test_the_default_is_the_main_branch(repo: Sandbox) -> None:
    change(repo)
    assert report(repo)["base"] == repo.git("rev-parse", "main").strip()
    assert report(repo, "main") == report(repo, "main...HEAD")


def test_whether_objects_are_on_the_remote(repo: Sandbox) -> None:
    change(repo)
    found = report(repo, "main...HEAD", "--check-remote")
    assert {each["path"] for each in found["paths"] if each["object"] == "missing"} == {"data", "model.pt", "new.pt"}
    assert found["remote"] == {"name": "lab", "not_checked": "", "missing": ["data", "model.pt", "new.pt"]}
    assert repo.here("ci", "report", "main...HEAD", "--check-remote", "--exit-code").code == 4
    assert repo.here("push").code == 0
    found = report(repo, "main...HEAD", "--check-remote")
    assert (found["attention"], found["remote"]["missing"]) == (False, [])


def test_the_remote_is_that_of_the_base(repo: Sandbox, tmp_path: Path) -> None:
    """A branch cannot have the credentials of a pipeline sent elsewhere."""
    repo.write(".gitmlog/config.toml", f'[remote.lab]\nurl = "file://{tmp_path}/evil"\n')
    repo.write("model.pt", "two")
    assert repo.here("add", "model.pt").code == 0
    repo.commit("evil")
    found = report(repo, "main...HEAD", "--check-remote")
    assert found["remote"]["missing"] == ["model.pt"]
    assert "addresses of remotes" in found["notes"][0]
    assert not (tmp_path / "evil").exists()


def test_runs_that_the_branch_brings(repo: Sandbox) -> None:
    made = make_run(repo, metrics={"acc": [(0, 0.5), (1, 0.75)]}, artifacts={"plot.txt": b"plot"})
    repo.git("merge", "-q", "--no-edit", made.commit)
    (run,) = report(repo, "main...HEAD")["runs"]
    assert (run["id"], run["status"], run["metrics"]["acc"]["last"]) == (made.record.id, "FINISHED", 0.75)
    assert "acc 0.75" in repo.ok("ci", "report", "main...HEAD")
    found = report(repo, "main...HEAD", "--check-remote")
    assert found["runs"][0]["missing"], "its artifact was not pushed"
    assert found["attention"] is True


def test_a_record_that_is_edited_is_pointed_out(repo: Sandbox) -> None:
    made = make_run(repo, metrics={"acc": [(0, 0.5)]})
    repo.git("switch", "-q", "main")
    repo.git("merge", "-q", "--no-edit", made.commit)
    repo.git("switch", "-q", "-c", "forger")
    path = f".gitmlog/runs/{made.record.id}/run.toml"
    repo.write(path, (repo.root / path).read_text().replace("0.5", "0.99"))
    repo.commit("better numbers")
    assert "is not edited afterwards" in report(repo, "main...HEAD")["notes"][0]


def test_large_files_also_deleted_ones(repo: Sandbox) -> None:
    repo.git("config", "core.compression", "0")
    repo.write("raw.bin", b"\1" * (10 << 20))
    repo.write("small.bin", b"\1" * ((10 << 20) - 1))
    added = repo.commit("raw")
    repo.git("rm", "-q", "raw.bin")
    repo.commit("deleted again")
    found = report(repo, "main...HEAD")
    assert found["large"] == [{"path": "raw.bin", "commit": added, "size": 10 << 20, "exact": True, "kept": False}]
    assert found["attention"] is True
    assert "still in the history" in repo.ok("ci", "report", "main...HEAD")


def test_the_limit_is_the_base_s(repo: Sandbox) -> None:
    repo.git("switch", "-q", "main")
    assert repo.here("config", "--shared", "status.large", "1000").code == 0
    repo.commit("limit")
    repo.git("switch", "-q", "-c", "more")
    repo.write("raw.bin", b"\1" * 1000)
    assert repo.here("config", "--shared", "status.large", "1000000").code == 0
    repo.commit("raw")
    assert [each["path"] for each in report(repo, "main...HEAD")["large"]] == ["raw.bin"]


HOSTILE: dict[str, str | None] = {
    "bad.gitmlog": "no metafile\n",
    "conflict.gitmlog": "<<<<<<< a\n",
    "x/.git~1.gitmlog": None,
    "huge.gitmlog": "version = 1\n" + "#" * (1 << 20),
    "-rf.gitmlog": 'version = 1\n\n[file]\npath = "m"\nblake3 = "' + "0" * 64 + '"\nsize = 1\n',
    "newer.gitmlog": "version = 99\n",
}


def test_what_cannot_be_read_is_named(repo: Sandbox) -> None:
    for path, text in HOSTILE.items():
        if text is not None:
            repo.write(path, text)
    (repo.root / "link.gitmlog").symlink_to("/etc/passwd")
    (repo.root / "model.pt.gitmlog").unlink()
    (repo.root / "model.pt.gitmlog").symlink_to("old.pt.gitmlog")
    repo.git("add", "-A", "-f", "--", ".")
    repo.commit("odd")
    found = report(repo, "main...HEAD")
    named = {each["path"] for each in found["unreadable"]}
    assert named == {*(path for path, text in HOSTILE.items() if text), "link.gitmlog", "model.pt.gitmlog"}
    assert all(each["reason"] for each in found["unreadable"])
    assert repo.here("ci", "report", "main...HEAD", "--exit-code").code == 4


def put(box: Sandbox, kind: str, data: bytes) -> str:
    done = subprocess.run(
        ["git", "hash-object", "-w", "-t", kind, "--stdin", "--literally"],
        cwd=box.root,
        input=data,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().strip()


def commit_tree(box: Sandbox, tree: str) -> str:
    return box.git("commit-tree", tree, "-p", "HEAD", "-m", "bomb").strip()


def test_a_bomb_of_trees(repo: Sandbox) -> None:
    """Ten trees, each with ten entries that are the one before: ten thousand million paths."""
    blob = bytes.fromhex(put(repo, "blob", b"x"))
    tree = put(repo, "tree", b"".join(b"100644 f%d\0" % n + blob for n in range(10)))
    for _ in range(9):
        tree = put(repo, "tree", b"".join(b"40000 d%d\0" % n + bytes.fromhex(tree) for n in range(10)))
    error = repo.fails("ci", "report", f"main...{commit_tree(repo, tree)}", code=6, kind="too-large")
    assert "200,000" in error["message"]


def test_a_path_that_is_thousands_of_folders_deep(repo: Sandbox) -> None:
    tree = put(repo, "tree", b"100644 f\0" + bytes.fromhex(put(repo, "blob", b"x")))
    for _ in range(3_000):
        tree = put(repo, "tree", b"40000 d\0" + bytes.fromhex(tree))
        if _ == 260:
            break
    repo.fails("ci", "report", f"main...{commit_tree(repo, tree)}", code=6, kind="too-large")


def test_forms_and_files(repo: Sandbox, tmp_path: Path) -> None:
    change(repo)
    names = [str(tmp_path / f"report.{ending}") for ending in ("json", "md", "txt")]
    done = repo.here("ci", "report", "main...HEAD", *(word for name in names for word in ("-o", name)))
    assert done.code == 0
    assert json.loads(Path(names[0]).read_text()) == report(repo, "main...HEAD")
    assert Path(names[1]).read_text().rstrip("\n") == repo.ok("ci", "report", "main...HEAD", "--format", "md").rstrip("\n")
    assert Path(names[2]).read_text() == repo.ok("ci", "report", "main...HEAD")
    assert len(done.out.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (["main..HEAD"], 2, "usage"),
        (["nope...HEAD"], 3, "no-revision"),
        (["main...nope"], 3, "no-revision"),
        (["-o", "report.pdf"], 2, "bad-format"),
        (["--format", "md"], 2, "usage"),
        (["main...HEAD", "--remote", "nope"], 3, "no-remote"),
    ],
)
def test_bad_calls(repo: Sandbox, arguments: list[str], code: int, kind: str) -> None:
    repo.fails("ci", "report", *arguments, code=code, kind=kind)


def test_no_common_history(repo: Sandbox) -> None:
    repo.git("checkout", "-q", "--orphan", "alone")
    repo.commit("alone")
    repo.fails("ci", "report", "main...HEAD", code=3, kind="no-merge-base")


def test_a_shallow_clone_says_what_it_lacks(repo: Sandbox, tmp_path: Path) -> None:
    change(repo)
    clone = tmp_path / "clone"
    repo.git("clone", "-q", "--depth", "1", "--no-single-branch", "-b", "better", f"file://{repo.root}", str(clone))
    error = Sandbox(clone).fails("ci", "report", "origin/main...HEAD", code=3, kind="no-merge-base")
    assert "--unshallow" in error["hint"]
