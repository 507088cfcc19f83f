"""What git still reaches: every way that git keeps a commit, made with real git."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitmlog.core.errors import GitError
from gitmlog.git.history import reachable_metafiles, unpublished_metafiles, worktree_roots
from gitmlog.git.repository import GitRepo
from tests.conftest import Sandbox


@pytest.fixture
def box(make_sandbox: Callable[[str], Sandbox]) -> Sandbox:
    made = make_sandbox("repo")
    save(made, "first")
    return made


def save(box: Sandbox, text: str, path: str = "m.gitmlog") -> str:
    box.write(path, text)
    return box.commit(text)


def reached(root: Path) -> set[str]:
    return {text.decode() for _, text in reachable_metafiles(GitRepo.discover(root))}


def forget(box: Sandbox, cwd: Path | None = None) -> None:
    """No reflog, no ORIG_HEAD: only what the test is about is left."""
    box.git("reflog", "expire", "--expire=now", "--all", cwd=cwd)
    (box.root / ".git/ORIG_HEAD").unlink(missing_ok=True)


def leave_branch(box: Sandbox) -> None:
    box.git("checkout", "-q", "main")
    box.git("branch", "-q", "-D", "side")


def test_branches_tags_and_packed_refs(box: Sandbox) -> None:
    for name in ("branch", "light", "heavy", "nested"):
        box.git("checkout", "-q", "-b", "side", "main")
        save(box, name)
        {
            "branch": lambda: box.git("branch", "kept"),
            "light": lambda: box.git("tag", "light"),
            "heavy": lambda: box.git("tag", "-a", "-m", "x", "heavy"),
            "nested": lambda: (
                box.git("tag", "-a", "-m", "x", "inner"),
                box.git("tag", "-a", "-m", "y", "outer", "inner"),
                box.git("tag", "-d", "inner"),
            ),
        }[name]()
        leave_branch(box)
    forget(box)
    box.git("pack-refs", "--all")
    box.git("gc", "-q", "--prune=now")
    assert reached(box.root) == {"first", "branch", "light", "heavy", "nested"}


def test_tags_of_trees_and_blobs(box: Sandbox) -> None:
    box.git("checkout", "-q", "-b", "side")
    save(box, "in a tree")
    box.git("tag", "-a", "-m", "x", "a-tree", "HEAD^{tree}")
    save(box, "a blob")
    box.git("tag", "a-blob", "HEAD:m.gitmlog")
    leave_branch(box)
    forget(box)
    assert reached(box.root) == {"first", "in a tree", "a blob"}


def test_reflog_and_stash(box: Sandbox) -> None:
    box.git("checkout", "-q", "-b", "side")
    save(box, "only in the reflog")
    leave_branch(box)
    box.write("m.gitmlog", "stash 1")
    box.git("stash", "-q")
    box.write("m.gitmlog", "stash 2")
    box.git("stash", "-q")
    box.write("new.gitmlog", "untracked in a stash")
    box.git("stash", "-q", "-u")
    assert reached(box.root) == {"first", "only in the reflog", "stash 1", "stash 2", "untracked in a stash"}


def test_index_and_both_sides_of_a_conflict(box: Sandbox) -> None:
    box.git("checkout", "-q", "-b", "side")
    box.write("m.gitmlog", "theirs")
    box.git("commit", "-q", "-a", "-m", "theirs")
    box.git("checkout", "-q", "main")
    save(box, "ours")
    assert box.run("git", "merge", "-q", "side").code == 1
    box.git("update-ref", "-d", "refs/heads/side")
    box.write("staged.gitmlog", "staged")
    box.git("add", "staged.gitmlog")
    (box.root / ".git/MERGE_HEAD").unlink()
    forget(box)
    assert reached(box.root) >= {"first", "ours", "theirs", "staged"}


def test_detached_heads_and_indexes_of_other_worktrees(box: Sandbox, tmp_path: Path) -> None:
    other = tmp_path / "other"
    box.git("worktree", "add", "-q", "--detach", str(other))
    linked = Sandbox(other)
    save(linked, "detached there")
    linked.write("m.gitmlog", "staged there")
    linked.git("add", "m.gitmlog")
    linked.git("update-ref", "refs/worktree/mine", linked.git("commit-tree", "-m", "x", linked.git("write-tree").strip()).strip())
    linked.git("reset", "-q", "--hard", "HEAD")
    linked.write("m.gitmlog", "staged again")
    linked.git("add", "m.gitmlog")
    forget(box)
    for root in (box.root, other):
        assert reached(root) == {"first", "detached there", "staged there", "staged again"}
        assert set(worktree_roots(GitRepo.discover(root))) == {box.root, other}


def test_worktrees_at_relative_paths(box: Sandbox, tmp_path: Path) -> None:
    box.git("worktree", "add", "-q", str(tmp_path / "other"))
    (box.root / ".git/worktrees/other/gitdir").write_text("../../../../other/.git\n")
    assert set(worktree_roots(GitRepo.discover(box.root))) == {box.root, tmp_path / "other"}


def test_the_autostash_of_a_rebase(box: Sandbox) -> None:
    box.git("checkout", "-q", "-b", "side")
    save(box, "side")
    box.git("checkout", "-q", "main")
    save(box, "main")
    box.write("extra.gitmlog", "x")
    box.commit("extra")
    box.git("checkout", "-q", "side")
    box.write("other", "1")
    box.commit()
    box.write("other", "2")
    box.write("late.gitmlog", "in the autostash")
    box.git("add", "late.gitmlog")
    assert box.run("git", "rebase", "-q", "--autostash", "main").code == 1
    assert (box.root / ".git/rebase-merge/autostash").exists()
    forget(box)
    assert {"side", "main", "in the autostash"} <= reached(box.root)


def test_a_rename_or_copy_hides_nothing(box: Sandbox) -> None:
    box.git("mv", "m.gitmlog", "n.gitmlog")
    box.commit("moved")
    box.git("rm", "-q", "n.gitmlog")
    box.write("a/b/c/deep.gitmlog", "deep")
    box.commit("deep")
    assert reached(box.root) == {"first", "deep"}


def test_submodules_are_their_own(box: Sandbox, make_sandbox: Callable[[str], Sandbox]) -> None:
    inner = make_sandbox("inner")
    save(inner, "inner")
    box.git("submodule", "add", "-q", str(inner.root), "sub")
    box.commit("sub")
    assert reached(box.root) == {"first"}
    assert reached(box.root / "sub") == {"inner"}
    assert worktree_roots(GitRepo.discover(box.root / "sub")) == [box.root / "sub"]


@pytest.mark.parametrize(
    "options", [["--depth=1"], ["--filter=blob:none"], ["--filter=tree:0"], ["--filter=tree:0", "--no-checkout"]]
)
def test_shallow_and_partial_clones(box: Sandbox, tmp_path: Path, options: list[str]) -> None:
    save(box, "second", "deep/er/m.gitmlog")
    save(box, "third", "deep/er/m.gitmlog")
    box.git("config", "uploadpack.allowFilter", "true")
    box.git("clone", "-q", *options, f"file://{box.root}", str(tmp_path / "clone"))
    assert reached(tmp_path / "clone") == ({"first", "third"} if "--depth=1" in options else {"first", "second", "third"})


def test_a_shallow_clone_that_moved_on(box: Sandbox, tmp_path: Path) -> None:
    box.git("clone", "-q", "--depth=1", f"file://{box.root}", str(tmp_path / "clone"))
    save(box, "second")
    save(box, "third")
    Sandbox(tmp_path / "clone").git("fetch", "-q", "--depth=1")
    assert reached(tmp_path / "clone") == {"first", "third"}


def test_a_dangling_symbolic_ref_is_nothing(box: Sandbox) -> None:
    box.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/gone")
    assert reached(box.root) == {"first"}


@pytest.mark.parametrize("what", ["HEAD~1", "HEAD~1^{tree}", "HEAD~1:m.gitmlog"])
def test_what_is_missing_is_an_error_not_nothing(box: Sandbox, what: str) -> None:
    save(box, "second")
    oid = box.git("rev-parse", what).strip()
    (box.root / f".git/objects/{oid[:2]}/{oid[2:]}").unlink()
    with pytest.raises(GitError):
        reached(box.root)


def test_no_commit_and_intent_to_add(make_sandbox: Callable[[str], Sandbox]) -> None:
    empty = make_sandbox("empty")
    assert reached(empty.root) == set()
    empty.write("m.gitmlog", "later")
    empty.git("add", "-N", "m.gitmlog")
    assert reached(empty.root) == {""}


def test_unpublished_is_what_no_remote_branch_has(box: Sandbox, tmp_path: Path) -> None:
    box.git("init", "-q", "--bare", str(tmp_path / "origin.git"))
    box.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    save(box, "published")
    box.git("push", "-q", "origin", "main")
    save(box, "between")
    save(box, "tip")
    texts = {text.decode() for _, text in unpublished_metafiles(GitRepo.discover(box.root))}
    assert texts == {"between", "tip"}
