"""The diff and merge drivers, called by the real git; and what is shown without them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmlog.core.digest import hash_bytes
from gitmlog.metafile.merge import merge_trees
from gitmlog.metafile.tree import TreeEntry, format_tree
from tests.conftest import Done, Sandbox

pytestmark = pytest.mark.long


def commit(sandbox: Sandbox, message: str = "x") -> None:
    sandbox.git("commit", "-q", "-m", message)


def track(sandbox: Sandbox, path: str, data: str | None = None, *options: str) -> None:
    if data is not None:
        sandbox.write(path, data)
    sandbox.ok("add", *options, path)


@pytest.fixture
def fork(hooked: Sandbox) -> Sandbox:
    """A file m.bin and a directory d, on main; `theirs` is at the same commit."""
    for name in ("a", "b", "c", "sub/x"):
        hooked.write(f"d/{name}", f"old {name}")
    track(hooked, "d")
    track(hooked, "m.bin", "old")
    commit(hooked, "base")
    hooked.git("branch", "theirs")
    return hooked


def on_theirs(sandbox: Sandbox, change: Callable[[], None]) -> None:
    sandbox.git("checkout", "-q", "theirs")
    change()
    commit(sandbox, "theirs")
    sandbox.git("checkout", "-q", "main")


def merge(sandbox: Sandbox) -> Done:
    return sandbox.run("git", "merge", "-q", "--no-edit", "theirs")


def state(sandbox: Sandbox) -> dict[str, str]:
    folder = sandbox.root / "d"
    return {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_listing_of_a_directory_is_in_the_diff(fork: Sandbox) -> None:
    fork.write("d/b", "new b")
    fork.write("d/d", "more")
    track(fork, "d")
    said = fork.git("diff", "--cached", "d.gitmlog")
    lines = [line for line in said.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert [line.split()[0] for line in lines if "blake3" not in line and " = " not in line] == ["-b", "+b", "+d"]
    assert "+files = 5" in lines
    assert "textconv" not in fork.git("diff", "--cached", "--no-textconv")
    assert fork.git("diff", "--cached", "--no-textconv").count("\n+") == 4


def test_a_tree_that_is_not_here_leaves_the_text(fork: Sandbox) -> None:
    for path in (fork.root / ".git/gitmlog/cache/objects").glob("*/*"):
        path.unlink()
    said = fork.git("show", "HEAD", "--", "d.gitmlog")
    assert "+files = 4" in said
    assert "old a" not in said


def test_another_cache(fork: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "the cache"
    (fork.root / ".git/gitmlog/cache").rename(elsewhere)
    fork.ok("config", "cache.dir", str(elsewhere))
    assert "\n+sub/x  9  " in fork.git("show", "HEAD", "--", "d.gitmlog")


def test_names_do_not_drive_the_terminal(hooked: Sandbox) -> None:
    """The name of a tree is a hash of anybody's bytes."""
    tree = b"gitmlog-tree 1\n- " + b"0" * 64 + b" 1 \x1b[31mred\n"
    oid = hash_bytes(tree)
    folder = hooked.root / ".git/gitmlog/cache/objects" / oid[:2]
    folder.mkdir(parents=True)
    (folder / oid[2:]).write_bytes(tree)
    text = f'version = 1\n\n[directory]\npath = "d"\nblake3 = "{oid}"\nsize = 1\nfiles = 1\n'
    hooked.write("d.gitmlog", text)
    hooked.git("add", "d.gitmlog")
    assert "\x1b" not in hooked.git("diff", "--cached")


def test_one_sided_and_identical_changes(fork: Sandbox) -> None:
    def theirs() -> None:
        track(fork, "m.bin", "new")
        fork.write("d/a", "both")
        track(fork, "d")

    on_theirs(fork, theirs)
    fork.write("d/a", "both")
    track(fork, "d")
    commit(fork)
    done = merge(fork)
    assert done.code == 0, done
    assert (fork.root / "m.bin").read_text() == "new"
    assert state(fork)["a"] == "both"
    assert fork.here("status", "--exit-code").code == 0


def test_directories_merge_by_path(fork: Sandbox) -> None:
    def theirs() -> None:
        fork.write("d/a", "their a")
        fork.write("d/theirs", "new of theirs")
        (fork.root / "d/c").unlink()
        track(fork, "d")

    on_theirs(fork, theirs)
    fork.write("d/b", "our b")
    fork.write("d/sub/ours", "new of ours")
    track(fork, "d")
    commit(fork)
    done = merge(fork)
    assert done.code == 0, done
    assert state(fork) == {
        "a": "their a",
        "b": "our b",
        "sub/ours": "new of ours",
        "sub/x": "old sub/x",
        "theirs": "new of theirs",
    }
    assert fork.git("status", "--porcelain") == ""
    assert fork.here("status", "--exit-code").code == 0
    assert fork.ok("verify")


def test_a_description_here_and_bytes_there(fork: Sandbox) -> None:
    on_theirs(fork, lambda: track(fork, "m.bin", "new"))
    track(fork, "m.bin", None, "--desc", "the good one")
    commit(fork)
    assert merge(fork).code == 0
    text = (fork.root / "m.bin.gitmlog").read_text()
    assert 'desc = "the good one"' in text
    assert (fork.root / "m.bin").read_text() == "new"


def test_a_rename_here_and_bytes_there(fork: Sandbox) -> None:
    on_theirs(fork, lambda: track(fork, "m.bin", "new and longer than before, so that git sees a rename"))
    fork.ok("mv", "m.bin", "best.bin")
    commit(fork)
    done = merge(fork)
    assert done.code == 0, done
    assert 'path = "best.bin"' in (fork.root / "best.bin.gitmlog").read_text()
    assert (fork.root / "best.bin").read_text().startswith("new")
    assert not (fork.root / "m.bin").exists()
    assert fork.here("status", "--exit-code").code == 0


def test_two_models_added_on_two_branches(fork: Sandbox) -> None:
    on_theirs(fork, lambda: track(fork, "t.bin", "t"))
    track(fork, "o.bin", "o")
    commit(fork)
    done = merge(fork)
    assert done.code == 0, done
    assert fork.git("status", "--porcelain") == ""


def test_a_true_conflict_is_readable(fork: Sandbox) -> None:
    on_theirs(fork, lambda: track(fork, "m.bin", "theirs, longer"))
    track(fork, "m.bin", "ours")
    commit(fork)
    assert merge(fork).code != 0
    text = (fork.root / "m.bin.gitmlog").read_text()
    assert text.startswith("# m.bin changed on both sides; take one: gitmlog checkout --ours m.bin, or --theirs m.bin\n")
    day, commits = r"\d{4}-\d\d-\d\d", [fork.git("rev-parse", "--short", name).strip() for name in ("HEAD", "MERGE_HEAD")]
    assert re.search(rf"^<<<<<<< ours: 4 B, {day} {commits[0]} x\nversion = 1\n", text, re.MULTILINE)
    assert re.search(rf"^>>>>>>> theirs: 14 B, {day} {commits[1]} theirs\n", text, re.MULTILINE)
    assert "UU m.bin.gitmlog" in fork.git("status", "--porcelain")
    assert "in a merge conflict" in fork.here("status").out
    fork.ok("checkout", "--theirs", "m.bin")
    assert (fork.root / "m.bin").read_text() == "theirs, longer"
    fork.git("commit", "-q", "--no-edit")
    assert fork.here("status", "--exit-code").code == 0


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_conflict_in_a_directory_is_settled_by_path(fork: Sandbox, side: str) -> None:
    def theirs() -> None:
        fork.write("d/a", "theirs a")
        fork.write("d/only theirs", "x")
        track(fork, "d")

    on_theirs(fork, theirs)
    fork.write("d/a", "ours a")
    (fork.root / "d/b").unlink()
    track(fork, "d")
    commit(fork)
    assert merge(fork).code != 0
    assert "# both sides changed a\n" in (fork.root / "d.gitmlog").read_text()
    fork.ok("checkout", f"--{side}", "d")
    assert state(fork) == {"a": f"{side} a", "c": "old c", "only theirs": "x", "sub/x": "old sub/x"}
    fork.git("commit", "-q", "--no-edit")
    assert fork.here("status", "--exit-code").code == 0


def their_listing_is_lost(fork: Sandbox) -> Path:
    """Both sides change other files of d; returns where the object of their listing was."""

    def theirs() -> None:
        fork.write("d/a", "their a")
        track(fork, "d")

    on_theirs(fork, theirs)
    oid = fork.git("show", "theirs:d.gitmlog").split('blake3 = "')[1][:64]
    fork.write("d/b", "our b")
    track(fork, "d")
    commit(fork)
    return fork.root / ".git/gitmlog/cache/objects" / oid[:2] / oid[2:]


def test_a_listing_that_nobody_has(fork: Sandbox) -> None:
    listing = their_listing_is_lost(fork)
    data = listing.read_bytes()
    listing.unlink()
    assert merge(fork).code != 0
    assert "# the listings could not be had" in (fork.root / "d.gitmlog").read_text()
    for side in ("ours", "theirs"):
        error = fork.fails("checkout", f"--{side}", "d", code=5, kind="missing-data")
        assert "gitmlog fetch --rev MERGE_HEAD d" in error["hint"]
    assert "UU d.gitmlog" in fork.git("status", "--porcelain"), "nothing was taken for settled"
    listing.write_bytes(data)
    fork.ok("checkout", "--ours", "d")
    assert state(fork)["a"] == "their a" and state(fork)["b"] == "our b"


@pytest.mark.parametrize("how", ["fetch", "cache"])
def test_a_listing_that_the_remote_has(fork: Sandbox, tmp_path: Path, how: str) -> None:
    """As after `git pull`: git brings metafiles, and none of us the listings."""
    fork.ok("remote", "add", "--local", "origin", str(tmp_path / "store"))
    fork.ok("config", "hooks.merge", how)
    listing = their_listing_is_lost(fork)
    fork.ok("push", "--all")
    listing.unlink()
    done = merge(fork)
    assert (done.code == 0) == (how == "fetch"), done
    if how == "fetch":
        assert state(fork)["a"] == "their a" and state(fork)["b"] == "our b"
        assert fork.git("status", "--porcelain") == ""


def test_one_side_has_removed_it(fork: Sandbox) -> None:
    on_theirs(fork, lambda: track(fork, "m.bin", "theirs"))
    fork.ok("rm", "m.bin")
    commit(fork)
    assert merge(fork).code != 0
    error = fork.fails("checkout", "--ours", "m.bin", code=3, kind="no-conflict")
    assert "ours has removed m.bin.gitmlog" in error["message"] and "git rm m.bin.gitmlog" in error["hint"]
    fork.ok("checkout", "--theirs", "m.bin")
    assert (fork.root / "m.bin").read_text() == "theirs"


def test_a_conflict_of_two_runs_says_which(fork: Sandbox) -> None:
    """Two models of one architecture have one size: runs and metrics tell them apart."""

    def train(score: str) -> None:
        fork.ok("run", "-o", "m.bin", "--", "sh", "-c", f"printf {score}{score} > m.bin; echo metric acc={score}")
        fork.ok("runs", "accept", "last")

    fork.git("checkout", "-q", "theirs")
    train("0.8")
    fork.git("checkout", "-q", "main")
    train("0.9")
    assert merge(fork).code != 0
    text = (fork.root / "m.bin.gitmlog").read_text()
    assert re.search(r"^<<<<<<< ours: 6 B, .*, run \d{8}-\d{6}-\S+ acc 0.9$", text, re.MULTILINE), text
    assert re.search(r"^>>>>>>> theirs: 6 B, .*, run \d{8}-\d{6}-\S+ acc 0.8$", text, re.MULTILINE), text


def test_without_gitmlog_it_is_text(fork: Sandbox) -> None:
    on_theirs(fork, lambda: track(fork, "m.bin", "theirs"))
    track(fork, "m.bin", "ours")
    commit(fork)
    fork.git("config", "gitmlog.python", "/nowhere")
    done = fork.run("git", "merge", "-q", "theirs", env={"PATH": "/usr/bin:/bin"})
    assert done.code != 0
    text = (fork.root / "m.bin.gitmlog").read_text()
    assert "<<<<<<< ours" in text and ">>>>>>> theirs" in text and "version = 1" in text


def test_without_the_hooks_the_drivers_go_on(fork: Sandbox) -> None:
    """They start the same Python; none need be on PATH."""
    on_theirs(fork, lambda: track(fork, "m.bin", None, "--desc", "theirs"))
    track(fork, "m.bin", "ours")
    commit(fork)
    fork.ok("hooks", "uninstall")
    done = fork.run("git", "merge", "-q", "--no-edit", "theirs", env={"PATH": "/usr/bin:/bin"})
    assert done.code == 0, done
    assert 'desc = "theirs"' in (fork.root / "m.bin.gitmlog").read_text()


def test_without_the_drivers_it_is_text(fork: Sandbox) -> None:
    on_theirs(fork, lambda: track(fork, "m.bin", "theirs"))
    track(fork, "m.bin", "ours")
    commit(fork)
    fork.ok("hooks", "uninstall", "--drivers")
    assert merge(fork).code != 0
    assert "<<<<<<< HEAD" in (fork.root / "m.bin.gitmlog").read_text()
    fork.ok("checkout", "--ours", "m.bin")


def test_a_side_that_is_no_metafile(fork: Sandbox) -> None:
    fork.git("checkout", "-q", "theirs")
    fork.write("m.bin.gitmlog", "nonsense\n")
    fork.git("commit", "-q", "--no-verify", "-a", "-m", "theirs")
    fork.git("checkout", "-q", "main")
    track(fork, "m.bin", "ours")
    commit(fork)
    done = merge(fork)
    assert done.code != 0
    assert "UU m.bin.gitmlog" in fork.git("status", "--porcelain")
    assert "Traceback" not in done.err


names = st.sampled_from(["a", "b", "c", "a/x", "a/y", "b/z"])
entries = st.dictionaries(names, st.integers(0, 2)).map(
    lambda found: {name: TreeEntry(name, "-", hash_bytes(bytes([value])), 1) for name, value in found.items()}
)


def is_tree(found: dict[str, TreeEntry]) -> bool:
    return not any(other.startswith(f"{name}/") for name in found for other in found)


@given(entries.filter(is_tree), entries.filter(is_tree), entries.filter(is_tree), st.sampled_from(["ours", "theirs"]))
def test_merged_trees(base: dict[str, TreeEntry], ours: dict[str, TreeEntry], theirs: dict[str, TreeEntry], side: str) -> None:
    merged = merge_trees(base, ours, theirs, side)  # type: ignore[arg-type]
    format_tree(merged.entries.values())  # a tree that can be written
    assert merge_trees(base, ours, ours).entries == ours
    assert merge_trees(base, base, theirs) == merge_trees(base, theirs, base)
    assert dict(merge_trees(base, base, theirs).entries) == theirs
    favoured = ours if side == "ours" else theirs
    assert {path: entry for path, entry in favoured.items() if base.get(path) != entry}.items() <= dict(merged.entries).items()
    other = merge_trees(base, theirs, ours, "theirs" if side == "ours" else "ours")  # type: ignore[arg-type]
    assert (merged.entries, merged.conflicts) == (other.entries, other.conflicts), "the sides are alike"
    for path in {*base, *ours, *theirs} - set(merged.conflicts):
        if not any(path.startswith(f"{each}/") or each.startswith(f"{path}/") for each in merged.conflicts):
            changed = [side.get(path) for side in (ours, theirs) if side.get(path) != base.get(path)]
            assert merged.entries.get(path) == (changed[0] if changed else base.get(path))
