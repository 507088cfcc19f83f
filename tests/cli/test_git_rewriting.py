"""Stash, rebase, cherry-pick, revert of changes of models, with the real git."""

from __future__ import annotations

import pytest

from tests.conftest import Sandbox
from tests.git_steps import conditions, follow, is_clean, keep, read

pytestmark = pytest.mark.long

EDITOR = {"GIT_EDITOR": "true"}


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """One model, and code."""
    sandbox.write("code.py", "one\n")
    keep(sandbox, "base")
    return sandbox


@pytest.fixture
def parted(box: Sandbox) -> Sandbox:
    """`topic` and `main` each have another version of the model; `topic` is checked out."""
    box.git("switch", "-q", "-c", "topic")
    keep(box, "of topic")
    box.git("switch", "-q", "main")
    follow(box)
    keep(box, "of main")
    box.git("switch", "-q", "topic")
    follow(box)
    assert is_clean(box)
    return box


def staged(box: Sandbox) -> list[str]:
    return box.git("diff", "--cached", "--name-only").split()


def test_a_change_is_stashed_and_comes_back(box: Sandbox) -> None:
    box.write("m.pt", "better")
    assert box.here("add", "m.pt").code == 0
    box.git("stash", "push", "-q")
    follow(box)
    assert read(box) == "base"
    assert is_clean(box)
    assert box.here("gc", "--prune", "--unpushed", "--grace", "0").code == 0
    box.git("stash", "pop", "-q")
    follow(box)
    assert read(box) == "better"
    assert conditions(box) == {"m.pt": {"unstaged"}}
    assert box.git("status", "--porcelain").split() == ["M", "m.pt.gitmlog"]
    box.git("stash", "push", "-q")
    box.git("stash", "pop", "-q", "--index")
    box.git("add", "m.pt.gitmlog")
    box.git("stash", "push", "-q")
    box.git("stash", "pop", "-q", "--index")
    follow(box)
    assert staged(box) == ["m.pt.gitmlog"]
    assert conditions(box) == {"m.pt": set()}


def test_a_stash_of_a_new_model(box: Sandbox) -> None:
    """Its bytes stay: git does not know of them, and without the .gitignore they would show as untracked."""
    box.write("n.pt", "new")
    assert box.here("add", "n.pt").code == 0
    box.git("stash", "push", "-q")
    assert conditions(box) == {"m.pt": set()}
    assert not (box.root / "n.pt.gitmlog").exists()
    box.git("stash", "pop", "-q")
    follow(box)
    assert read(box, "n.pt") == "new"
    assert conditions(box)["n.pt"] <= {"unstaged"}


def test_a_stash_on_another_branch_conflicts_as_text_does(parted: Sandbox) -> None:
    parted.write("m.pt", "tried")
    assert parted.here("add", "m.pt").code == 0
    parted.git("stash", "push", "-q")
    parted.git("switch", "-q", "main")
    follow(parted)
    assert parted.run("git", "stash", "pop", "-q").code == 1
    assert parted.here("checkout", "--theirs", "m.pt").code == 0
    assert read(parted) == "tried"
    assert parted.git("ls-files", "--unmerged") == ""
    assert parted.git("stash", "list").count("\n") == 1, "git keeps it after a conflict"


def test_rebase_onto_other_changes(box: Sandbox) -> None:
    box.git("switch", "-q", "-c", "topic")
    keep(box, "second")
    keep(box, "third")
    box.git("switch", "-q", "main")
    follow(box)
    keep(box, "other", "n.pt")
    box.git("switch", "-q", "topic")
    follow(box)
    box.git("rebase", "-q", "main")
    follow(box)
    assert (read(box), read(box, "n.pt")) == ("third", "other")
    assert is_clean(box)
    assert box.git("log", "--format=%s", "-3").splitlines() == ["m.pt: third", "m.pt: second", "n.pt: other"]
    box.git("checkout", "-q", "HEAD~1")
    follow(box)
    assert read(box) == "second"
    assert box.here("verify", "--all").code == 0


@pytest.mark.parametrize(("side", "text"), [("--theirs", "of topic"), ("--ours", "of main")])
def test_rebase_with_a_conflict(parted: Sandbox, side: str, text: str) -> None:
    """The sides are swapped, as in git: `theirs` is the commit that is being moved."""
    assert parted.run("git", "rebase", "-q", "main").code == 1
    assert "bad" in conditions(parted)["m.pt"]
    assert "gitmlog checkout --ours" in parted.here("status").out
    assert parted.here("checkout", side, "m.pt").code == 0
    assert read(parted) == text
    assert parted.git("ls-files", "--unmerged") == ""
    done = parted.run("git", "rebase", "--continue" if side == "--theirs" else "--skip", env=EDITOR)
    assert done.code == 0, done
    follow(parted)
    assert read(parted) == text
    assert is_clean(parted)
    assert parted.git("symbolic-ref", "--short", "HEAD").strip() == "topic"
    assert parted.git("log", "-1", "--format=%s").strip() == ("m.pt: of topic" if side == "--theirs" else "m.pt: of main")


def test_a_rebase_that_is_given_up(parted: Sandbox) -> None:
    assert parted.run("git", "rebase", "-q", "main").code == 1
    parted.git("rebase", "--abort")
    follow(parted)
    assert read(parted) == "of topic"
    assert is_clean(parted)


def test_autostash_keeps_a_change_of_a_model(box: Sandbox) -> None:
    box.git("switch", "-q", "-c", "topic")
    keep(box, "other", "n.pt")
    box.git("switch", "-q", "main")
    follow(box)
    box.write("code.py", "two\n")
    box.commit()
    box.git("switch", "-q", "topic")
    follow(box)
    box.write("m.pt", "tried")
    assert box.here("add", "m.pt").code == 0
    box.git("rebase", "-q", "--autostash", "main")
    follow(box)
    assert (read(box), read(box, "n.pt"), read(box, "code.py")) == ("tried", "other", "two\n")
    assert "m.pt.gitmlog" in box.git("status", "--porcelain")


def test_cherry_pick(box: Sandbox) -> None:
    box.git("switch", "-q", "-c", "topic")
    keep(box, "unwanted", "n.pt")
    wanted = keep(box, "wanted")
    box.git("switch", "-q", "main")
    follow(box)
    box.git("cherry-pick", wanted)
    follow(box)
    assert read(box) == "wanted"
    assert "n.pt" not in conditions(box)
    (box.root / "n.pt").unlink(missing_ok=True)
    assert is_clean(box)


def test_cherry_pick_with_a_conflict(parted: Sandbox) -> None:
    assert parted.run("git", "cherry-pick", "main").code == 1
    assert parted.here("checkout", "--theirs", "m.pt").code == 0
    done = parted.run("git", "cherry-pick", "--continue", env=EDITOR)
    assert done.code == 0, done
    follow(parted)
    assert read(parted) == "of main"
    assert is_clean(parted)
    assert parted.git("log", "-1", "--format=%s").strip() == "m.pt: of main"


def test_revert_of_a_change(box: Sandbox) -> None:
    worse = keep(box, "worse")
    keep(box, "other", "n.pt")
    box.git("revert", "--no-edit", worse)
    follow(box)
    assert (read(box), read(box, "n.pt")) == ("base", "other")
    assert is_clean(box)
    box.git("revert", "--no-edit", "HEAD")
    follow(box)
    assert read(box) == "worse"
    assert is_clean(box)


def test_revert_of_a_new_model_leaves_its_bytes(box: Sandbox) -> None:
    """As git leaves what it does not know. They are in the cache, and in the commit that is reverted."""
    added = keep(box, "other", "n.pt")
    box.git("revert", "--no-edit", added)
    follow(box)
    assert "n.pt" not in conditions(box)
    assert not (box.root / "n.pt.gitmlog").exists()
    box.git("revert", "--no-edit", "HEAD")
    follow(box)
    assert read(box, "n.pt") == "other"
    assert is_clean(box)


def test_revert_with_a_conflict(box: Sandbox) -> None:
    second = keep(box, "second")
    keep(box, "third")
    assert box.run("git", "revert", "--no-edit", second).code == 1
    assert box.here("checkout", "--theirs", "m.pt").code == 0
    done = box.run("git", "revert", "--continue", env=EDITOR)
    assert done.code == 0, done
    follow(box)
    assert read(box) == "base"
    assert is_clean(box)


def test_reset_and_amend(box: Sandbox) -> None:
    keep(box, "second")
    box.git("reset", "-q", "--hard", "HEAD~1")
    follow(box)
    assert read(box) == "base"
    box.git("reset", "-q", "--hard", "ORIG_HEAD")
    follow(box)
    assert read(box) == "second"
    box.git("reset", "-q", "--soft", "HEAD~1")
    assert staged(box) == ["m.pt.gitmlog"]
    assert conditions(box) == {"m.pt": set()}
    box.git("restore", "--staged", "--worktree", "m.pt.gitmlog")
    follow(box)
    assert read(box) == "base"
    assert is_clean(box)
