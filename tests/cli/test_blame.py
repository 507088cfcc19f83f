"""`gitmlog blame`: which commit and which run last changed a tracked path."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Sandbox
from tests.runs import make_run

pytestmark = pytest.mark.long


def put(box: Sandbox, files: dict[str, str], *add: str, message: str = "") -> str:
    """Write, add, commit; the id."""
    for path, text in files.items():
        box.write(path, text)
    assert box.here("add", *(add or files)).code == 0
    return box.commit(message or f"put {' '.join(files)}")


def blamed(box: Sandbox, *words: str) -> dict[str, Any]:
    done = box.here("blame", *words, "--json")
    assert done.code == 0, done
    found: dict[str, Any] = json.loads(done.out)
    return found


def of_files(box: Sandbox, *words: str) -> dict[str, str]:
    return {each["path"]: each["commit"]["id"] for each in blamed(box, *words, "--files")["files"]}


def test_a_file(sandbox: Sandbox) -> None:
    first = put(sandbox, {"m.pt": "one"})
    second = put(sandbox, {"m.pt": "two"}, message="better\n\nmuch better")
    sandbox.write("code.py", "x")
    sandbox.commit()
    found = blamed(sandbox, "m.pt")
    assert (found["path"], found["commit"]["id"], found["commit"]["subject"]) == ("m.pt", second, "better")
    assert (found["commit"]["author"], found["commit"]["email"]) == ("Ada", "ada@example.org")
    assert (found["run"], found["old_path"], found["end"], found["files"], found["notes"]) == (None, None, None, [], [])
    assert blamed(sandbox, "m.pt", second + "~1")["commit"]["id"] == first
    (line,) = sandbox.here("blame", "m.pt.gitmlog").out.splitlines()
    assert line.split()[0] == second[:10]
    assert line.endswith("Ada  -  m.pt")


def test_words_of_the_metafile_are_no_bytes(sandbox: Sandbox) -> None:
    first = put(sandbox, {"m.pt": "one"})
    assert sandbox.here("add", "--desc", "words", "m.pt").code == 0
    sandbox.commit()
    assert blamed(sandbox, "m.pt")["commit"]["id"] == first


def test_the_working_tree_does_not_count(sandbox: Sandbox) -> None:
    first = put(sandbox, {"m.pt": "one"})
    sandbox.write("m.pt", "two")
    assert sandbox.here("add", "m.pt").code == 0
    assert blamed(sandbox, "m.pt")["commit"]["id"] == first
    (sandbox.root / "m.pt.gitmlog").unlink()
    (sandbox.root / "m.pt").unlink()
    assert blamed(sandbox, "m.pt")["commit"]["id"] == first


@pytest.mark.parametrize("how", ["git mv", "gitmlog mv", "folder"])
def test_renames_are_followed(sandbox: Sandbox, how: str) -> None:
    first = put(sandbox, {"a/m.pt": "one"})
    put(sandbox, {"a/other.pt": "other"})
    if how == "git mv":
        sandbox.git("mv", "a/m.pt.gitmlog", "a/best.pt.gitmlog")
    elif how == "gitmlog mv":
        assert sandbox.here("mv", "a/m.pt", "a/best.pt").code == 0
    else:
        assert sandbox.here("mv", "a/m.pt", "b-best.pt").code == 0
        sandbox.git("rm", "-q", "-r", "--cached", "a")
    moved = sandbox.commit("moved")
    new = "b-best.pt" if how == "folder" else "a/best.pt"
    found = blamed(sandbox, new)
    assert (found["commit"]["id"], found["path"], found["old_path"]) == (first, new, "a/m.pt")
    assert "(was a/m.pt)" in sandbox.here("blame", new).out
    sandbox.fails("blame", "a/m.pt", code=3, kind="not-tracked")
    assert blamed(sandbox, "a/m.pt", f"{moved}~1")["commit"]["id"] == first


def test_a_copy_is_a_change(sandbox: Sandbox) -> None:
    put(sandbox, {"m.pt": "one"})
    second = put(sandbox, {"n.pt": "one"})
    assert blamed(sandbox, "n.pt")["commit"]["id"] == second


def test_a_revert_is_a_change(sandbox: Sandbox) -> None:
    put(sandbox, {"m.pt": "one"})
    put(sandbox, {"m.pt": "two"})
    sandbox.git("revert", "--no-edit", "HEAD")
    assert blamed(sandbox, "m.pt")["commit"]["id"] == sandbox.git("rev-parse", "HEAD").strip()


def test_a_directory_and_its_files(sandbox: Sandbox) -> None:
    first = put(sandbox, {"d/a": "a", "d/b": "b", "d/sub/c": "c"}, "d")
    second = put(sandbox, {"d/b": "b2"}, "d")
    third = put(sandbox, {"d/new": "n"}, "d")
    assert blamed(sandbox, "d")["commit"]["id"] == third
    assert of_files(sandbox, "d") == {"d/a": first, "d/b": second, "d/new": third, "d/sub/c": first}
    assert blamed(sandbox, "d/b")["commit"]["id"] == second
    assert blamed(sandbox, "d/sub")["commit"]["id"] == first
    assert of_files(sandbox, "d/sub") == {"d/sub/c": first}
    lines = sandbox.here("blame", "d", "--files").out.splitlines()
    assert [line.split()[-1] for line in lines] == ["d", "d/a", "d/b", "d/new", "d/sub/c"]
    sandbox.fails("blame", "d/none", code=3, kind="no-path")
    sandbox.fails("blame", "d/b/x", code=3, kind="no-path")
    assert blamed(sandbox, "d/a", f"{second}")["commit"]["id"] == first


def test_an_entry_that_left_and_came_back(sandbox: Sandbox) -> None:
    put(sandbox, {"d/a": "a", "d/b": "b"}, "d")
    (sandbox.root / "d/a").unlink()
    put(sandbox, {}, "d", message="without")
    back = put(sandbox, {"d/a": "a"}, "d")
    assert of_files(sandbox, "d")["d/a"] == back


def test_a_directory_renamed_and_changed_at_once(sandbox: Sandbox) -> None:
    first = put(sandbox, {"d/a": "a", "d/b": "b"}, "d")
    assert sandbox.here("mv", "d", "e").code == 0
    second = put(sandbox, {"e/b": "b2"}, "e")
    assert of_files(sandbox, "e") == {"e/a": first, "e/b": second}
    assert blamed(sandbox, "e/a")["old_path"] == "d/a"


def test_merges_are_followed_into_both_sides(sandbox: Sandbox) -> None:
    base = put(sandbox, {"d/a": "a", "d/b": "b", "m": "m"}, "d", "m")
    sandbox.git("switch", "-q", "-c", "side")
    side = put(sandbox, {"d/b": "b2", "m": "m2"}, "d", "m")
    sandbox.git("switch", "-q", "main")
    assert sandbox.here("checkout").code == 0
    other = put(sandbox, {"n": "n"})
    sandbox.git("merge", "-q", "--no-edit", "side")
    assert of_files(sandbox, "d") == {"d/a": base, "d/b": side}
    assert blamed(sandbox, "m")["commit"]["id"] == side
    assert blamed(sandbox, "n")["commit"]["id"] == other


def test_a_directory_that_both_sides_changed(sandbox: Sandbox) -> None:
    """Each file goes back to its own side; what neither has is the merge's own."""
    base = put(sandbox, {"d/a": "a", "d/b": "b", "d/c": "c"}, "d")
    sandbox.git("switch", "-q", "-c", "side")
    side = put(sandbox, {"d/b": "side"}, "d")
    sandbox.git("switch", "-q", "main")
    assert sandbox.here("checkout").code == 0
    ours = put(sandbox, {"d/c": "main"}, "d")
    if sandbox.run("git", "merge", "-q", "--no-commit", "side").code:  # no driver merges trees by path here
        assert sandbox.here("checkout", "--ours", "d").code == 0
        assert sandbox.here("checkout", "--rev", "side", "d/b").code == 0
    assert sandbox.here("checkout").code == 0
    sandbox.write("d/new", "of the merge")
    assert sandbox.here("add", "d").code == 0
    merge = sandbox.commit("merged")
    assert of_files(sandbox, "d") == {"d/a": base, "d/b": side, "d/c": ours, "d/new": merge}


# Runs


def test_the_run_whose_commit_it_is(sandbox: Sandbox) -> None:
    put(sandbox, {"m.pt": "one"})
    made = make_run(sandbox, outputs={"m.pt": b"trained"})
    assert blamed(sandbox, "m.pt")["run"] is None
    assert sandbox.here("runs", "accept", made.record.id).code == 0
    found = blamed(sandbox, "m.pt")
    assert (found["commit"]["id"], found["run"]["id"]) == (made.commit, made.record.id)
    assert blamed(sandbox, "m.pt", "last")["run"]["id"] == made.record.id, "a run names a revision"


def test_the_run_behind_a_merge(sandbox: Sandbox) -> None:
    put(sandbox, {"m.pt": "one"})
    made = make_run(sandbox, outputs={"m.pt": b"trained"})
    sandbox.write("code.py", "x")
    sandbox.commit()
    assert sandbox.here("runs", "accept", made.record.id).code == 0
    assert len(sandbox.git("log", "-1", "--format=%P").split()) == 2
    found = blamed(sandbox, "m.pt")
    assert (found["commit"]["id"], found["run"]["id"]) == (made.commit, made.record.id)
    assert made.record.id in sandbox.here("blame", "m.pt").out


def test_the_run_that_wrote_what_a_user_committed(sandbox: Sandbox) -> None:
    """An input is no author, and of several runs the first one is."""
    put(sandbox, {"m.pt": "one"})
    make_run(sandbox, "20260101-000000-early-fox", outputs={"elsewhere.pt": b"trained"})
    first = make_run(sandbox, "20260102-000000-first-fox", outputs={"m.pt": b"trained"})
    make_run(sandbox, "20260103-000000-second-fox", outputs={"m.pt": b"trained"})
    make_run(sandbox, "20250101-000000-reading-fox", inputs=first.record.outputs)
    commit = put(sandbox, {"m.pt": "trained"})
    found = blamed(sandbox, "m.pt")
    assert (found["commit"]["id"], found["run"]["id"]) == (commit, first.record.id)


# Where history ends


def test_a_shallow_clone(sandbox: Sandbox, tmp_path: Path) -> None:
    first = put(sandbox, {"m": "one", "n": "one"})
    for number in range(4):
        put(sandbox, {"n": f"n{number}"})
    last = sandbox.git("rev-parse", "HEAD").strip()
    sandbox.git("clone", "-q", "--depth", "2", f"file://{sandbox.root}", str(tmp_path / "clone"))
    clone = Sandbox(tmp_path / "clone")
    edge = clone.git("rev-parse", "HEAD~1").strip()
    found = blamed(clone, "m")
    assert (found["commit"]["id"], found["end"]) == (edge, "shallow")
    assert "git fetch --unshallow" in found["notes"][0]
    assert clone.here("blame", "m").out.startswith(f"^{edge[:10]}")
    assert blamed(clone, "n")["commit"]["id"] == last
    assert blamed(clone, "n")["end"] is None
    clone.git("fetch", "-q", "--unshallow")
    assert blamed(clone, "m")["commit"]["id"] == first


@pytest.mark.parametrize("how", ["blob:none", "tree:0"])
def test_a_partial_clone(sandbox: Sandbox, tmp_path: Path, how: str) -> None:
    first = put(sandbox, {"sub/m": "one", "n": "one"})
    put(sandbox, {"n": "two"})
    for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        sandbox.git("config", key, "true")
    sandbox.git("clone", "-q", f"--filter={how}", f"file://{sandbox.root}", str(tmp_path / "clone"))
    clone = Sandbox(tmp_path / "clone")
    gone = sandbox.root.rename(tmp_path / "moved")
    found = blamed(clone, "n")
    assert found["end"] == "no-git-object"
    assert "git cannot bring" in found["notes"][0]
    gone.rename(sandbox.root)
    found = blamed(clone, "sub/m")
    assert (found["commit"]["id"], found["end"]) == (first, None)


def test_a_tree_that_the_cache_lacks(sandbox: Sandbox, tmp_path: Path) -> None:
    assert sandbox.here("remote", "add", "store", str(tmp_path / "store")).code == 0
    first = put(sandbox, {"d/a": "a", "d/b": "b"}, "d")
    second = put(sandbox, {"d/b": "b2"}, "d")
    third = put(sandbox, {"d/c": "c"}, "d")
    assert sandbox.here("push", "--all").code == 0
    sandbox.git("clone", "-q", str(sandbox.root), str(tmp_path / "clone"))
    clone = Sandbox(tmp_path / "clone")
    assert blamed(clone, "d")["commit"]["id"] == third, "the directory itself needs no tree"
    clone.fails("blame", "d", "--files", code=5, kind="missing-data")
    assert clone.here("pull").code == 0
    found = blamed(clone, "d/a")
    assert (found["commit"]["id"], found["end"]) == (third, "no-tree")
    assert f"known up to {third[:10]}" in found["notes"][0]
    assert "gitmlog fetch --all" in found["notes"][0]
    assert len(blamed(clone, "d", "--files")["notes"]) == 1
    assert clone.here("fetch", "--all").code == 0
    assert of_files(clone, "d") == {"d/a": first, "d/b": second, "d/c": third}


def test_bad_metafiles_in_history(sandbox: Sandbox) -> None:
    put(sandbox, {"m": "one"})
    good = (sandbox.root / "m.gitmlog").read_text()
    sandbox.write("m.gitmlog", "hostile")
    sandbox.git("commit", "-q", "--no-verify", "-a", "-m", "bad")
    sandbox.fails("blame", "m", code=5, kind="bad-metafile")
    sandbox.write("m.gitmlog", good)
    mended = sandbox.commit("mended")
    found = blamed(sandbox, "m")
    assert (found["commit"]["id"], found["end"]) == (mended, "unreadable")


def test_what_is_not_tracked(sandbox: Sandbox) -> None:
    sandbox.fails("blame", "m", code=3, kind="no-commit")
    sandbox.write("code.py", "x")
    sandbox.commit()
    assert "git log" in sandbox.fails("blame", "code.py", code=3, kind="not-tracked")["hint"]
    sandbox.fails("blame", "none", code=3, kind="not-tracked")
    sandbox.fails("blame", ".", code=3, kind="not-tracked")
    sandbox.fails("blame", "../x", code=6, kind="outside-repository")
    sandbox.fails("blame", "code.py", "nope", code=3, kind="no-revision")
    put(sandbox, {"m": "x"})
    sandbox.fails("blame", "m/below", code=3, kind="not-tracked")
    sandbox.fails("blame", "m", "HEAD:m.gitmlog", code=3, kind="no-revision")


def test_hostile_words_of_a_commit(sandbox: Sandbox) -> None:
    sandbox.write("m", "x")
    assert sandbox.here("add", "m").code == 0
    sandbox.git("add", "-A")
    evil = {"GIT_AUTHOR_NAME": "Eve\x1b[31m", "GIT_AUTHOR_DATE": "@99999999999 +0000"}
    sandbox.run("git", "commit", "-q", "-m", "\x1b]0;title\x07", env=evil, check=True)
    done = sandbox.here("blame", "m")
    assert done.code == 0, done
    assert "\x1b" not in done.out + sandbox.here("blame", "m", "--json").out


def test_from_a_folder_below(sandbox: Sandbox) -> None:
    first = put(sandbox, {"sub/m": "one"})
    (sandbox.root / "sub/deep").mkdir()
    done = sandbox.here("blame", "../m", cwd=sandbox.root / "sub/deep")
    assert done.out.split()[0] == first[:10]


def test_a_long_history_is_quick(sandbox: Sandbox) -> None:
    """5,000 commits that do not touch it."""
    first = put(sandbox, {"a/b/m": "one"})
    lines = []
    for number in range(5_000):
        lines += ["commit refs/heads/main", f"committer A <a@b> {1_900_000_000 + number} +0000", "data 1", "x"]
        lines += [f"from {first}"] if number == 0 else []
        lines += [f"M 100644 inline f{number % 50}", f"data {len(str(number))}", str(number)]
    subprocess.run(["git", "fast-import", "--quiet", "--force"], cwd=sandbox.root, input="\n".join(lines).encode(), check=True)
    begun = time.monotonic()
    assert blamed(sandbox, "a/b/m")["commit"]["id"] == first
    assert time.monotonic() - begun < 10
