"""Linked worktrees, bisects by hand, `git clean` and `git gc`, with the real git."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from tests.conftest import Sandbox
from tests.git_steps import conditions, follow, is_clean, keep, read

pytestmark = pytest.mark.long


def test_a_linked_worktree_has_its_own_state_and_the_same_cache(sandbox: Sandbox, tmp_path: Path) -> None:
    keep(sandbox, "one")
    sandbox.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "tree"))
    tree = Sandbox(tmp_path / "tree")
    follow(tree)
    assert read(tree) == "one"
    assert not (sandbox.root / ".git/worktrees/tree/gitmlog/cache").exists(), "one cache for all"
    keep(tree, "two")
    assert (read(sandbox), read(tree)) == ("one", "two")
    assert is_clean(sandbox)
    assert is_clean(tree)
    tree.write("m.pt", "not kept")
    assert conditions(tree) == {"m.pt": {"modified"}}
    assert conditions(sandbox) == {"m.pt": set()}
    sandbox.git("merge", "-q", "side")
    follow(sandbox)
    assert read(sandbox) == "two", "its bytes were in the shared cache"
    assert read(tree) == "not kept"


def test_a_worktree_that_is_removed(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing of it is in the way; what it committed stays, what only it had staged may go."""
    keep(sandbox, "one")
    for name, how in (("removed", "remove"), ("lost", "prune")):
        sandbox.git("worktree", "add", "-q", "-b", name, str(tmp_path / name))
        tree = Sandbox(tmp_path / name)
        follow(tree)
        keep(tree, f"of {name}")
        if how == "remove":
            sandbox.git("worktree", "remove", str(tree.root))
        else:
            tree.root.rename(tmp_path / "elsewhere")
            sandbox.git("worktree", "prune")
        assert not tree.root.exists()
        assert not (sandbox.root / ".git/worktrees" / name).exists()
    assert is_clean(sandbox)
    assert sandbox.here("verify").code == 0
    assert sandbox.here("gc", "--prune", "--unpushed", "--grace", "0").code == 0
    for name in ("removed", "lost"):
        sandbox.git("switch", "-q", name)
        follow(sandbox)
        assert read(sandbox) == f"of {name}"


def test_a_worktree_of_another_branch_lacks_what_that_has_not(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.write("code.py", "x")
    first = sandbox.commit()
    keep(sandbox, "one")
    sandbox.git("worktree", "add", "-q", "--detach", str(tmp_path / "tree"), first)
    tree = Sandbox(tmp_path / "tree")
    assert conditions(tree) == {}
    assert tree.here("checkout").code == 0
    tree.git("switch", "-q", "--detach", "main")
    follow(tree)
    assert is_clean(tree)


def test_a_bisect_by_hand(sandbox: Sandbox) -> None:
    """The line of the guide: every step has the files of its commit."""
    ids = [keep(sandbox, str(number)) for number in range(8)]
    gitmlog = shlex.join([sys.executable, "-m", "gitmlog"])
    sandbox.git("bisect", "start", ids[7], ids[0])
    said = sandbox.git("bisect", "run", "sh", "-c", f'{gitmlog} checkout >/dev/null || exit 125; test "$(cat m.pt)" -lt 5')
    assert f"{ids[5]} is the first bad commit" in said
    sandbox.git("bisect", "reset")
    follow(sandbox)
    assert read(sandbox) == "7"
    assert is_clean(sandbox)


def test_a_bisect_skips_what_is_not_in_the_cache(sandbox: Sandbox) -> None:
    """`gitmlog checkout` fails there, and nothing is half-done."""
    ids = [keep(sandbox, str(number)) for number in range(3)]
    sandbox.git("checkout", "-q", "--detach", ids[1])
    metafile = (sandbox.root / "m.pt.gitmlog").read_text()
    oid = next(line.split('"')[1] for line in metafile.splitlines() if line.startswith("blake3"))
    follow(sandbox)
    (sandbox.root / ".git/gitmlog/cache/objects" / oid[:2] / oid[2:]).unlink()
    sandbox.git("switch", "-q", "main")
    sandbox.here("checkout", "--force")
    sandbox.git("bisect", "start", ids[2], ids[0])
    sandbox.fails("checkout", code=5, kind="missing-data")
    assert read(sandbox) == "2"
    sandbox.git("bisect", "reset")
    follow(sandbox)
    assert is_clean(sandbox)


def test_git_clean_takes_the_bytes_and_checkout_brings_them_back(sandbox: Sandbox) -> None:
    keep(sandbox, "one")
    keep(sandbox, "two", "data/m.bin")
    sandbox.write("data/d/a", "a")
    sandbox.write("data/d/b/c", "c")
    assert sandbox.here("add", "data/d").code == 0
    sandbox.commit()
    sandbox.write("junk", "x")
    sandbox.git("clean", "-q", "-fdx")
    assert not (sandbox.root / "m.pt").exists()
    assert not (sandbox.root / "data/d").exists()
    assert set().union(*conditions(sandbox).values()) == {"missing"}
    follow(sandbox)
    assert (read(sandbox), read(sandbox, "data/m.bin"), read(sandbox, "data/d/b/c")) == ("one", "two", "c")
    assert is_clean(sandbox)
    sandbox.git("clean", "-q", "-fd")
    assert is_clean(sandbox), "without -x the bytes are ignored files: they stay"


def test_git_gc_knows_nothing_of_the_cache(sandbox: Sandbox) -> None:
    """Nothing that git removes was needed, and what git no longer reaches `gitmlog gc` can let go."""
    keep(sandbox, "one")
    sandbox.write("m.pt", "amended away")
    assert sandbox.here("add", "m.pt").code == 0
    sandbox.git("commit", "-q", "-a", "--amend", "-m", "amended away")
    sandbox.write("m.pt", "last")
    assert sandbox.here("add", "m.pt").code == 0
    sandbox.git("commit", "-q", "-a", "--amend", "-m", "last")
    objects = sandbox.root / ".git/gitmlog/cache/objects"
    before = {path.name for path in objects.rglob("*") if path.is_file()}
    assert sandbox.here("gc", "--prune", "--unpushed", "--grace", "0").code == 0
    assert {path.name for path in objects.rglob("*") if path.is_file()} == before, "the reflog reaches all"
    sandbox.git("reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all")
    sandbox.git("gc", "-q", "--prune=now")
    assert sandbox.here("verify", "--all").code == 0
    assert is_clean(sandbox)
    assert sandbox.here("gc", "--prune", "--unpushed", "--grace", "0").code == 0
    assert len({path.name for path in objects.rglob("*") if path.is_file()}) == 1
    (sandbox.root / "m.pt").unlink()
    follow(sandbox)
    assert read(sandbox) == "last"
    assert sandbox.here("verify", "--all").code == 0
    assert sandbox.git("fsck", "--strict", "--no-dangling") == ""
