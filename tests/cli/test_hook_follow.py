"""post-checkout, post-merge and post-rewrite, called by the real git: files follow their metafiles, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Sandbox


def text(sandbox: Sandbox, path: str) -> str | None:
    file = sandbox.root / path
    return file.read_text() if file.exists() else None


def keep(sandbox: Sandbox, message: str, **files: str) -> str:
    """Track these (a__b for a/b is not needed here) and commit; returns the commit."""
    for path, data in files.items():
        sandbox.write(f"{path}.bin", data)
        sandbox.ok("add", f"{path}.bin")
    sandbox.git("commit", "-q", "-m", message)
    return sandbox.git("rev-parse", "HEAD").strip()


def lose(sandbox: Sandbox, data: str) -> None:
    """The object of these bytes is not in the cache any more."""
    for path in (sandbox.root / ".git/gitmlog/cache/objects").glob("*/*"):
        if path.read_text() == data:
            path.unlink()


def state_is_clean(sandbox: Sandbox) -> None:
    assert sandbox.git("status", "--porcelain") == ""
    assert sandbox.here("status", "--exit-code").code == 0, sandbox.here("status")


@pytest.fixture
def two(hooked: Sandbox) -> Sandbox:
    """main has m.bin as "one"; `other` has it as "two", and n.bin, and another version of the directory d."""
    hooked.write("d/same", "same")
    hooked.write("d/changed", "old")
    hooked.write("d/gone", "gone")
    hooked.ok("add", "d")
    keep(hooked, "first", m="one")
    hooked.git("checkout", "-q", "-b", "other")
    hooked.write("d/changed", "new")
    hooked.write("d/sub/fresh", "fresh")
    (hooked.root / "d/gone").unlink()
    hooked.ok("add", "d")
    keep(hooked, "second", m="two", n="extra")
    hooked.git("checkout", "-q", "main")
    return hooked


def test_a_switch_brings_what_changed(two: Sandbox) -> None:
    same = (two.root / "d/same").stat()
    assert (text(two, "m.bin"), text(two, "n.bin"), text(two, "d/changed"), text(two, "d/gone")) == ("one", None, "old", "gone")
    done = two.run("git", "switch", "-q", "other", check=True)
    assert (text(two, "m.bin"), text(two, "n.bin"), text(two, "d/changed"), text(two, "d/gone")) == ("two", "extra", "new", None)
    assert text(two, "d/sub/fresh") == "fresh"
    assert (two.root / "d/same").stat() == same, "only what changed is written"
    assert "d: 2 files written, 1 file removed" in done.err
    state_is_clean(two)
    two.git("switch", "-q", "-")
    assert not (two.root / "d/sub").exists()
    state_is_clean(two)


def test_a_path_is_not_tracked_there(two: Sandbox) -> None:
    """Its files go, as git's own do; the folder with them."""
    first = two.git("rev-list", "--max-parents=0", "HEAD").strip()
    two.git("checkout", "-q", first)
    assert not (two.root / "m.bin").exists()
    assert not (two.root / "d").exists()
    assert two.git("status", "--porcelain") == ""
    two.git("checkout", "-q", "main")
    assert (text(two, "m.bin"), text(two, "d/same")) == ("one", "same")
    state_is_clean(two)


def test_nothing_unsaved_is_lost(two: Sandbox) -> None:
    two.write("m.bin", "mine")
    two.write("d/mine", "mine")
    done = two.run("git", "checkout", "-q", "other")
    assert done.code == 0
    assert "m.bin did not follow" in done.err and "gitmlog add m.bin" in done.err
    assert (text(two, "m.bin"), text(two, "d/mine"), text(two, "d/changed")) == ("mine", "mine", "new")
    first = two.git("rev-list", "--max-parents=0", "HEAD").strip()
    two.git("checkout", "-q", first)
    assert (text(two, "m.bin"), text(two, "d/mine"), text(two, "d/changed")) == ("mine", "mine", None)


def test_a_missing_object_is_named_and_the_rest_comes(two: Sandbox) -> None:
    lose(two, "two")
    lose(two, "new")
    done = two.run("git", "checkout", "-q", "other")
    assert done.code == 0
    assert "the bytes of m.bin are not in the cache (gitmlog pull m.bin)" in done.err
    assert "1 file of d is not in the cache (gitmlog pull d)" in done.err
    assert (text(two, "m.bin"), text(two, "n.bin"), text(two, "d/sub/fresh")) == ("one", "extra", "fresh")


def test_fetched_when_told_to(two: Sandbox, tmp_path: Path) -> None:
    two.ok("remote", "add", "--local", "origin", str(tmp_path / "store"))
    two.git("checkout", "-q", "other")
    two.ok("push")
    two.git("checkout", "-q", "main")
    lose(two, "two")
    done = two.run("git", "checkout", "-q", "other")
    assert text(two, "m.bin") == "one", "the network is not used unasked"
    assert "gitmlog pull m.bin" in done.err
    two.git("checkout", "-q", "main")
    two.ok("config", "hooks.checkout", "fetch")
    two.git("checkout", "-q", "other")
    assert text(two, "m.bin") == "two"
    (tmp_path / "store").rename(tmp_path / "away")
    two.git("checkout", "-q", "main")
    lose(two, "two")
    done = two.run("git", "checkout", "-q", "other")
    assert (done.code, text(two, "m.bin")) == (0, "one")
    assert "gitmlog pull m.bin" in done.err


def test_off(two: Sandbox) -> None:
    two.ok("config", "hooks.checkout", "off")
    two.git("checkout", "-q", "other")
    assert text(two, "m.bin") == "one"


def test_single_files(two: Sandbox) -> None:
    two.git("checkout", "-q", "other", "--", "m.bin.gitmlog")
    assert (text(two, "m.bin"), text(two, "n.bin")) == ("two", None)
    two.git("checkout", "-q", "HEAD", "--", "m.bin.gitmlog")
    assert text(two, "m.bin") == "one"
    state_is_clean(two)


def test_a_bad_metafile_keeps_none_of_the_others(two: Sandbox) -> None:
    two.git("checkout", "-q", "other")
    two.write("bad.bin.gitmlog", "nonsense")
    two.git("add", "bad.bin.gitmlog")
    two.git("commit", "-q", "--no-verify", "-m", "bad")
    two.git("checkout", "-q", "main")
    done = two.run("git", "checkout", "-q", "other")
    assert done.code == 0
    assert "bad.bin.gitmlog:1" in done.err
    assert text(two, "m.bin") == "two"


def test_a_merge_and_a_fast_forward(two: Sandbox) -> None:
    two.git("merge", "-q", "--ff-only", "other")
    assert (text(two, "m.bin"), text(two, "n.bin"), text(two, "d/changed")) == ("two", "extra", "new")
    state_is_clean(two)
    two.git("checkout", "-q", "-b", "third", "HEAD~1")
    keep(two, "third", k="k")
    two.git("merge", "-q", "--no-edit", "main")
    assert (text(two, "m.bin"), text(two, "n.bin"), text(two, "k.bin")) == ("two", "extra", "k")
    state_is_clean(two)


def test_a_merge_removes_what_it_untracks(two: Sandbox) -> None:
    two.git("checkout", "-q", "other")
    two.git("rm", "-q", "n.bin.gitmlog")
    two.git("commit", "-q", "-m", "without n")
    two.git("checkout", "-q", "-b", "late", "HEAD~1")
    assert text(two, "n.bin") == "extra"
    two.git("merge", "-q", "--ff-only", "other")
    assert text(two, "n.bin") is None


def test_a_rebase(two: Sandbox) -> None:
    keep(two, "on main", k="k")
    two.git("checkout", "-q", "other")
    two.git("rebase", "-q", "main")
    assert (text(two, "m.bin"), text(two, "n.bin"), text(two, "k.bin"), text(two, "d/changed")) == ("two", "extra", "k", "new")
    state_is_clean(two)


def test_a_rebase_that_untracks(two: Sandbox) -> None:
    """What only the branch below had, and a picked commit removes, goes too."""
    keep(two, "on main", k="k")
    two.git("checkout", "-q", "other")
    two.git("rm", "-q", "n.bin.gitmlog")
    two.git("commit", "-q", "-m", "without n")
    two.git("checkout", "-q", "-b", "base", "HEAD~1")
    keep(two, "on base", j="j")
    two.git("checkout", "-q", "other")
    assert text(two, "n.bin") is None
    two.git("rebase", "-q", "base")
    assert (text(two, "n.bin"), text(two, "j.bin"), text(two, "m.bin")) == (None, "j", "two")
    state_is_clean(two)


def test_pull(two: Sandbox, tmp_path: Path, make_sandbox: Callable[[str], Sandbox]) -> None:
    two.git("init", "-q", "--bare", str(tmp_path / "bare.git"))
    two.git("remote", "add", "origin", str(tmp_path / "bare.git"))
    two.ok("remote", "add", "origin", str(tmp_path / "store"))
    two.git("push", "-q", "origin", "main")
    two.git("clone", "-q", str(tmp_path / "bare.git"), str(tmp_path / "bob"))
    bob = Sandbox(tmp_path / "bob")
    bob.ok("init")
    assert bob.git("status", "--porcelain") == "", "what others committed is not written again"
    bob.ok("pull")
    keep(bob, "bob's", m="bob's model")
    bob.git("push", "-q", "origin", "main")
    done = two.run("git", "pull", "-q", "--ff-only", "origin", "main", check=True)
    assert "gitmlog pull m.bin" in done.err
    assert text(two, "m.bin") == "one"
    two.ok("pull", "m.bin")
    assert text(two, "m.bin") == "bob's model"
    state_is_clean(two)


def test_what_was_staged_and_is_taken_back_stays(hooked: Sandbox) -> None:
    """`git reset --hard` forgets a metafile that was never committed: nothing would name its bytes any more."""
    hooked.write("m.bin", "only here")
    hooked.ok("add", "m.bin")
    hooked.git("reset", "-q", "--hard")
    hooked.git("checkout", "-q", "-b", "other")
    hooked.git("commit", "-q", "--allow-empty", "-m", "x")
    hooked.git("checkout", "-q", "main")
    assert text(hooked, "m.bin") == "only here"


def test_renamed_on_the_other_branch(two: Sandbox) -> None:
    """Nothing is copied."""
    two.git("checkout", "-q", "-b", "renamed")
    two.git("mv", "m.bin.gitmlog", "best.bin.gitmlog")
    two.git("commit", "-q", "-m", "rename")
    inode = (two.root / "best.bin").stat().st_ino
    done = two.run("git", "checkout", "-q", "main")
    assert "best.bin was renamed to m.bin" in done.err
    assert (two.root / "m.bin").stat().st_ino == inode
    assert text(two, "best.bin") is None
    state_is_clean(two)


def test_revert_and_cherry_pick(two: Sandbox) -> None:
    two.git("cherry-pick", "other")
    assert (text(two, "m.bin"), text(two, "n.bin"), text(two, "d/changed")) == ("two", "extra", "new")
    state_is_clean(two)
    two.git("revert", "--no-edit", "HEAD")
    assert (text(two, "m.bin"), text(two, "n.bin"), text(two, "d/changed")) == ("one", None, "old")
    state_is_clean(two)


def test_forced_checkouts(two: Sandbox) -> None:
    two.write("m.bin", "staged, not committed")
    two.ok("add", "m.bin")
    two.git("checkout", "-q", "-f")
    assert text(two, "m.bin") == "one"
    state_is_clean(two)


def test_what_pre_commit_puts_aside_stays(two: Sandbox) -> None:
    """It takes away what is not staged by `git checkout`, and puts it back a moment later."""
    two.write("m.bin", "not to be committed")
    two.ok("add", "m.bin")
    two.git("restore", "--staged", "m.bin.gitmlog")
    two.run("git", "checkout", "--", ".", env={"_PRE_COMMIT_SKIP_POST_CHECKOUT": "1"}, check=True)
    assert text(two, "m.bin") == "not to be committed"


def test_what_is_in_the_way_is_named(two: Sandbox) -> None:
    two.write("m.bin", "mine")
    done = two.run("git", "switch", "-q", "other")
    assert "m.bin did not follow: the bytes of m.bin are kept nowhere else" in done.err
    assert "gitmlog checkout --force m.bin" in done.err
    two.ok("checkout", "--force", "m.bin")
    assert text(two, "m.bin") == "two"
