"""Partial and shallow clones, submodules and subtrees, with the real git."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.git_steps import conditions, follow, is_clean, keep, read

pytestmark = pytest.mark.long

Clone = Callable[..., Sandbox]


@pytest.fixture
def origin(sandbox: Sandbox, tmp_path: Path) -> Sandbox:
    """Three versions of a file and two of a directory, all on a remote; a server of partial clones."""
    assert sandbox.here("remote", "add", "store", str(tmp_path / "store")).code == 0
    keep(sandbox, "one", "models/m.pt")
    for number in ("1", "2"):
        sandbox.write("data/a", "a")
        sandbox.write("data/b", number)
        assert sandbox.here("add", "data").code == 0
        sandbox.commit(f"data {number}")
    keep(sandbox, "two", "models/m.pt")
    keep(sandbox, "three", "models/m.pt")
    assert sandbox.here("push", "--all").code == 0
    sandbox.git("config", "uploadpack.allowFilter", "true")
    sandbox.git("config", "uploadpack.allowAnySHA1InWant", "true")
    sandbox.git("config", "receive.denyCurrentBranch", "updateInstead")
    return sandbox


@pytest.fixture
def clone(origin: Sandbox, tmp_path: Path) -> Clone:
    def made(*options: str, name: str = "clone") -> Sandbox:
        origin.git("clone", "-q", *options, f"file://{origin.root}", str(tmp_path / name))
        return Sandbox(tmp_path / name)

    return made


FILTERS = pytest.mark.parametrize("how", ["blob:none", "tree:0"])


@FILTERS
def test_a_partial_clone_works_on(origin: Sandbox, clone: Clone, how: str) -> None:
    box = clone(f"--filter={how}")
    done = box.here("pull")
    assert done.code == 0, done
    assert (read(box, "models/m.pt"), read(box, "data/b")) == ("three", "2")
    assert is_clean(box)
    keep(box, "four", "models/m.pt")
    assert box.here("push").code == 0
    box.git("push", "-q", "origin", "main")
    assert origin.here("pull").code == 0
    assert read(origin, "models/m.pt") == "four"
    assert is_clean(origin)


@FILTERS
@pytest.mark.parametrize(
    "words",
    [
        ["cat", "HEAD~1:models/m.pt"],
        ["cat", "HEAD~2:data/b"],
        ["pull", "--rev", "HEAD~2", "models/m.pt"],
        ["fetch", "--rev", "HEAD~3"],
        ["fetch", "--all"],
        ["push"],
        ["push", "--all"],
        ["blame", "models/m.pt"],
        ["gc"],
        ["status"],
        ["doctor"],
    ],
    ids=" ".join,
)
def test_what_a_partial_clone_lacks_comes_when_it_is_asked_for(clone: Clone, how: str, words: list[str]) -> None:
    """Each command on a clone where git has nothing but the newest commit's files."""
    box = clone(f"--filter={how}")
    done = box.here(*words)
    assert done.code == 0, done
    if words[:2] == ["cat", "HEAD~1:models/m.pt"]:
        assert done.out == "two"
    if words[:2] == ["cat", "HEAD~2:data/b"]:
        assert done.out == "2"
    if words[0] == "pull":
        assert read(box, "models/m.pt") == "one"
    assert box.here("pull").code == 0
    assert box.here("verify").code == 0


@FILTERS
def test_a_partial_clone_without_its_origin_says_what_it_lacks(origin: Sandbox, clone: Clone, tmp_path: Path, how: str) -> None:
    box = clone(f"--filter={how}")
    assert box.here("pull").code == 0
    origin.root.rename(tmp_path / "away")
    assert is_clean(box), "what is checked out needs nobody"
    done = box.here("cat", "HEAD~2:models/m.pt")
    assert done.code == 1, done
    assert "Traceback" not in done.err
    assert "error: " in done.err
    keep(box, "offline", "models/m.pt")
    assert is_clean(box)


def test_a_shallow_clone_works_on(origin: Sandbox, clone: Clone) -> None:
    box = clone("--depth", "1")
    assert box.here("pull").code == 0
    assert read(box, "models/m.pt") == "three"
    assert is_clean(box)
    assert box.here("cat", "HEAD~1:models/m.pt").code == 3
    box.fails("pull", "--rev", "HEAD~1", "models/m.pt", code=3, kind="no-revision")
    keep(box, "four", "models/m.pt")
    assert box.here("push").code == 0
    assert box.here("gc", "--prune").code == 0
    assert box.here("verify", "--all").code == 0
    box.git("push", "-q", "origin", "main")
    assert origin.here("pull").code == 0
    assert read(origin, "models/m.pt") == "four"


def test_a_shallow_clone_that_is_made_whole(clone: Clone) -> None:
    box = clone("--depth", "2")
    assert box.here("pull").code == 0
    box.git("fetch", "-q", "--unshallow")
    assert box.here("cat", "HEAD~2:data/b").out == "2"
    assert box.here("fetch", "--all").code == 0
    assert box.here("verify", "--all").code == 0
    box.git("switch", "-q", "--detach", "HEAD~1")
    follow(box)
    assert read(box, "models/m.pt") == "two"
    assert is_clean(box)
    assert box.here("push", "--all").code == 0


def test_a_partial_and_sparse_clone(clone: Clone) -> None:
    """`git clone --filter --sparse`: a sparse index as well, whose folders git has never seen."""
    box = clone("--filter=tree:0", "--sparse")
    box.git("sparse-checkout", "set", "--cone", "--sparse-index", "models")
    assert box.here("pull").code == 0
    assert read(box, "models/m.pt") == "three"
    assert conditions(box) == {"data": set(), "models/m.pt": set()}
    assert box.git("status", "--porcelain") == ""


# Submodules


@pytest.fixture
def outer(origin: Sandbox, make_sandbox: Callable[[str], Sandbox]) -> Sandbox:
    """A repository with the one above as a submodule."""
    made = make_sandbox("outer")
    assert made.here("init").code == 0
    made.git("submodule", "add", "-q", str(origin.root), "vendor/models")
    made.commit("submodule")
    return made


def test_inside_a_submodule(outer: Sandbox, origin: Sandbox) -> None:
    inner = Sandbox(outer.root / "vendor/models")
    assert inner.here("pull").code == 0
    assert read(inner, "models/m.pt") == "three"
    assert is_clean(inner)
    assert is_clean(outer), "the ignored bytes are no change of the submodule"
    assert (outer.root / ".git/modules/vendor/models/gitmlog/cache/objects").is_dir()
    inner.git("switch", "-q", "-c", "work")
    keep(inner, "of the submodule", "models/m.pt")
    assert is_clean(inner)
    assert outer.git("status", "--porcelain").split() == ["M", "vendor/models"]
    outer.commit("newer models")
    assert is_clean(outer)
    assert inner.here("push").code == 0
    inner.git("push", "-q", "origin", "work")
    origin.git("switch", "-q", "work")
    assert origin.here("pull").code == 0
    assert read(origin, "models/m.pt") == "of the submodule"


def test_the_superproject_leaves_it_alone(outer: Sandbox) -> None:
    inner = Sandbox(outer.root / "vendor/models")
    assert inner.here("pull").code == 0
    keep(outer, "outer", "own.pt")
    assert conditions(outer) == {"own.pt": set()}
    outer.fails("add", "vendor/models/models/m.pt", code=6, kind="submodule")
    outer.fails("checkout", "vendor/models/models/m.pt", code=3, kind="not-tracked")
    for command in (["checkout"], ["verify"], ["gc", "--prune"], ["doctor"]):
        done = outer.here(*command)
        assert done.code == 0, (command, done)
    assert is_clean(inner)
    assert is_clean(outer)
    assert inner.here("verify").code == 0
    assert inner.here("gc", "--prune").code == 0


def test_a_clone_with_submodules(outer: Sandbox, tmp_path: Path) -> None:
    outer.git("clone", "-q", "--recurse-submodules", str(outer.root), str(tmp_path / "again"))
    inner = Sandbox(tmp_path / "again/vendor/models")
    assert inner.here("pull").code == 0
    assert read(inner, "data/b") == "2"
    assert is_clean(inner)
    again = Sandbox(tmp_path / "again")
    again.git("submodule", "deinit", "-q", "-f", "vendor/models")
    assert again.here("status").code == 0
    again.git("submodule", "update", "-q", "--init")
    follow(inner)
    assert read(inner, "data/b") == "2", "the cache stayed in .git/modules"


# Subtrees

EXEC_PATH = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=False).stdout.strip()
HAS_SUBTREE = shutil.which("git-subtree", path=EXEC_PATH) is not None


def add_subtree(box: Sandbox, other: Sandbox) -> None:
    """By git's own recipe where `git subtree` is not installed."""
    if HAS_SUBTREE:
        box.git("subtree", "add", "-q", "--prefix=vendor", str(other.root), "main")
        return
    box.git("fetch", "-q", str(other.root), "main")
    box.git("merge", "-q", "-s", "ours", "--no-commit", "--allow-unrelated-histories", "FETCH_HEAD")
    box.git("read-tree", "--prefix=vendor/", "-u", "FETCH_HEAD")
    box.git("commit", "-q", "-m", "vendor")


@pytest.fixture
def merged(origin: Sandbox, make_sandbox: Callable[[str], Sandbox], tmp_path: Path) -> Sandbox:
    """A repository that has the one above as a folder."""
    made = make_sandbox("merged")
    assert made.here("init").code == 0
    keep(made, "own", "own.pt")
    add_subtree(made, origin)
    return made


def test_a_subtree_folder(merged: Sandbox, tmp_path: Path) -> None:
    """Names in metafiles are relative: they mean the same in a folder. The remote is the superproject's own to name."""
    assert conditions(merged)["vendor/models/m.pt"] == {"missing", "not-cached"}
    merged.fails("checkout", code=5, kind="missing-data")
    assert merged.here("remote", "add", "store", str(tmp_path / "store")).code == 0
    assert merged.here("pull").code == 0
    assert (read(merged, "vendor/models/m.pt"), read(merged, "vendor/data/b")) == ("three", "2")
    assert is_clean(merged)
    keep(merged, "of the folder", "vendor/models/m.pt")
    assert is_clean(merged)
    assert merged.here("mv", "vendor/models/m.pt", "vendor/best.pt").code == 0
    merged.commit("moved")
    assert is_clean(merged)
    assert merged.here("verify").code == 0
    assert merged.here("push").code == 0


@pytest.mark.skipif(not HAS_SUBTREE, reason="git subtree is not installed")
def test_a_subtree_takes_changes_and_gives_them_back(merged: Sandbox, origin: Sandbox, tmp_path: Path) -> None:
    assert merged.here("remote", "add", "store", str(tmp_path / "store")).code == 0
    assert merged.here("pull").code == 0
    keep(origin, "four", "models/m.pt")
    assert origin.here("push").code == 0
    merged.git("subtree", "pull", "-q", "--prefix=vendor", str(origin.root), "main", "-m", "newer")
    assert merged.here("pull").code == 0
    assert read(merged, "vendor/models/m.pt") == "four"
    keep(merged, "five", "vendor/models/m.pt")
    assert is_clean(merged)
    assert merged.here("push").code == 0
    merged.git("subtree", "split", "-q", "--prefix=vendor", "-b", "back")
    origin.git("pull", "-q", "--ff-only", str(merged.root), "back")
    assert origin.here("pull").code == 0
    assert read(origin, "models/m.pt") == "five"
    assert is_clean(origin)
    assert merged.here("blame", "vendor/models/m.pt").code == 0
