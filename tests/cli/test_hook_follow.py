"""post-checkout, post-merge and post-rewrite, called by the real git: files follow their metafiles, and nothing is lost."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Sandbox

pytestmark = pytest.mark.long


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


def test_a_revert_that_untracks(two: Sandbox) -> None:
    keep(two, "k", k="k")
    two.git("revert", "--no-edit", "HEAD")
    assert text(two, "k.bin") is None
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


def test_a_link_in_the_tree_leads_nowhere(hooked: Sandbox, tmp_path: Path) -> None:
    """A commit that puts a link to a folder outside in the place of a tracked file's folder takes nothing from there."""
    outside = tmp_path / "victim"
    outside.mkdir()
    (outside / "model.bin").write_text("public weights")
    hooked.write("sub/model.bin", "public weights")
    hooked.ok("add", "sub/model.bin")
    hooked.git("commit", "-q", "-m", "A")
    (hooked.root / "new").mkdir()
    hooked.git("mv", "sub/model.bin.gitmlog", "sub/.gitignore", "new/")
    (hooked.root / "sub/model.bin").unlink()
    (hooked.root / "sub").rmdir()
    (hooked.root / "sub").symlink_to(outside)
    hooked.git("add", "-A")
    hooked.git("commit", "-q", "--no-verify", "-m", "B")
    hooked.git("checkout", "-q", "HEAD~1")
    hooked.git("checkout", "-q", "main")
    assert (outside / "model.bin").read_text() == "public weights"
    assert text(hooked, "new/model.bin") == "public weights"
    hooked.git("checkout", "-q", "HEAD~1")
    (hooked.root / "sub/model.bin").unlink()
    hooked.git("mv", "sub/model.bin.gitmlog", "top.bin.gitmlog")
    hooked.run("sh", "-c", f"rm -r sub && ln -s {outside} sub", check=True)
    hooked.run("git", "commit", "-q", "-m", "x")
    assert (outside / "model.bin").read_text() == "public weights"


def test_a_damaged_object_costs_no_whole_file(two: Sandbox) -> None:
    """Of the same size: only who reads it sees that the working file is the last whole copy."""
    for path in (two.root / ".git/gitmlog/cache/objects").glob("*/*"):
        if path.read_text() == "one":
            path.chmod(0o644)
            path.write_text("bad")
    done = two.run("git", "switch", "-q", "other")
    assert "m.bin did not follow" in done.err
    assert text(two, "m.bin") == "one"


def test_what_was_untracked_by_hand_stays(two: Sandbox) -> None:
    two.git("checkout", "-q", "-b", "third")
    two.write("d/changed", "on third")
    two.ok("add", "d")
    two.git("commit", "-q", "-m", "third")
    two.git("checkout", "-q", "main")
    two.ok("rm", "--cached", "m.bin")
    two.git("checkout", "-q", "third")
    assert text(two, "m.bin") == "one"


def test_a_bad_setting_stops_no_git(two: Sandbox) -> None:
    two.write(".gitmlog/config.toml", "[nope]\nx = 3\n")
    two.git("add", ".gitmlog/config.toml")
    two.git("commit", "-q", "--no-verify", "-m", "a newer gitmlog")
    done = two.run("git", "switch", "-q", "-c", "next", "other", env={})
    assert done.code == 0
    two.git("switch", "-q", "main")
    done = two.run("git", "merge", "-q", "--no-edit", "other")
    assert done.code == 0, done
    assert "did not follow" in done.err and "Traceback" not in done.err


def test_another_work_tree_is_not_ours(two: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    done = two.run("git", f"--work-tree={tmp_path / 'deploy'}", "checkout", "-q", "-f", "HEAD", "--", ".")
    assert done.code == 0
    outer = tmp_path / "outer"
    two.run("git", "init", "-q", str(outer), check=True)
    inner = outer / "inner"
    inner.mkdir()
    (inner / "in.bin").write_text("x")
    named = {"GIT_DIR": str(two.root / ".git"), "GIT_WORK_TREE": str(inner)}
    done = two.gitmlog("add", "in.bin", cwd=inner, env=named)
    assert done.code == 1
    assert "GIT_DIR names" in done.err
    assert two.git("ls-files", cwd=outer) == ""


def test_one_that_cannot_follow_keeps_none_back(two: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may not be written: root, who runs these tests in CI, may write everywhere."""
    from gitmlog.ops import follow as module

    real = module.carry_out

    def fail(ws: object, plan: object, *rest: object) -> object:
        if plan.path == "d":  # type: ignore[attr-defined]
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(ws, plan, *rest)  # type: ignore[arg-type]

    two.git("-c", "core.hooksPath=/dev/null", "checkout", "-q", "other")
    monkeypatch.setattr(module, "carry_out", fail)
    done = two.here("hook", "post-checkout", "main", "other", "1")
    assert done.code == 0
    assert "d did not follow: Permission denied" in done.err
    assert (text(two, "m.bin"), text(two, "n.bin"), text(two, "d/changed")) == ("two", "extra", "old")


def test_git_told_to_take_patterns_as_they_are(two: Sandbox) -> None:
    two.git("--literal-pathspecs", "checkout", "-q", "other")
    assert text(two, "m.bin") == "two"


def test_a_name_that_looks_like_an_option(two: Sandbox) -> None:
    two.git("update-index", "--add", "--cacheinfo", f"100644,{two.git('rev-parse', 'HEAD:m.bin.gitmlog').strip()},-x.gitmlog")
    two.git("commit", "-q", "--no-verify", "-m", "hostile")
    two.git("checkout", "-q", "other", "--", "m.bin.gitmlog")
    assert text(two, "m.bin") == "two"


def test_a_rebase_with_a_stop(two: Sandbox) -> None:
    """What was checked out meanwhile and removed by a pick does not stay untracked."""
    two.git("checkout", "-q", "other")
    two.git("rm", "-q", "m.bin.gitmlog")
    two.git("commit", "-q", "-m", "without m")
    two.git("checkout", "-q", "main")
    keep(two, "on main", k="k")
    two.git("checkout", "-q", "other")
    two.run("git", "rebase", "-q", "-i", "main", env={"GIT_SEQUENCE_EDITOR": "sed -i '1s/^pick/edit/'"}, check=True)
    two.run("git", "rebase", "--continue", env={"GIT_EDITOR": "true"}, check=True)
    assert (text(two, "m.bin"), text(two, "n.bin"), text(two, "k.bin")) == (None, "extra", "k")
    assert two.git("status", "--porcelain") == ""


def test_a_merge_is_not_taken_back_by_adding(two: Sandbox) -> None:
    """One file was changed and not saved, so the directory did not follow: adding all of it would undo the merge."""
    two.write("d/same", "mine")
    done = two.run("git", "merge", "-q", "--ff-only", "other")
    assert "gitmlog add d/same, then gitmlog checkout d" in done.err
    assert text(two, "d/changed") == "old"
    error = two.fails("add", "d", code=6, kind="behind")
    assert "d/changed and 1 more is an older version" in error["message"]
    two.ok("add", "d/same")
    two.ok("checkout", "d")
    assert (text(two, "d/same"), text(two, "d/changed"), text(two, "d/gone")) == ("mine", "new", None)
    assert text(two, "d/sub/fresh") == "fresh"
