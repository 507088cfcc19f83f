"""When git moves a metafile, a merge stops in one, or only a part was fetched: the right thing is said, and nothing is undone."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.test_checkout import conditions
from tests.cli.test_sync import Team, team
from tests.conftest import Sandbox

__all__ = ["team"]


@pytest.fixture
def moved(sandbox: Sandbox) -> Sandbox:
    """Two versions of a file and a directory; git stands on the first, the files on the second."""
    for number in ("1", "2"):
        sandbox.write("m.bin", number)
        sandbox.write("d/a", number)
        sandbox.ok("add", "m.bin", "d")
        sandbox.commit(number)
    sandbox.git("checkout", "-q", "HEAD~1")
    return sandbox


def test_the_metafile_moved_not_the_file(moved: Sandbox) -> None:
    assert conditions(moved) == {"d": ["behind"], "m.bin": ["behind"]}
    assert conditions(moved) == {"d": ["behind"], "m.bin": ["behind"]}
    moved.ok("checkout")
    assert conditions(moved) == {"d": [], "m.bin": []}


def test_adding_does_not_undo_what_git_brought(moved: Sandbox) -> None:
    error = moved.fails("add", "m.bin", code=6, kind="behind")
    assert "gitmlog pull m.bin" in error["hint"]
    moved.fails("add", "d", code=6, kind="behind")
    assert moved.git("status", "--porcelain") == ""
    moved.ok("add", "--force", "m.bin", "d")
    assert conditions(moved) == {"d": [], "m.bin": []}


def test_an_edited_file_is_modified_not_behind(moved: Sandbox) -> None:
    moved.write("m.bin", "mine")
    assert conditions(moved)["m.bin"] == ["modified"]
    moved.ok("add", "m.bin")
    assert conditions(moved)["m.bin"] == []


def test_a_part_that_was_never_fetched_is_not_removed_by_add(team: Team) -> None:
    team.publish()
    bob = team.clone()
    bob.ok("pull", "data/img_00*")
    assert conditions(bob, "data") == {"data": ["partial"]}
    bob.write("data/img_000.png", "edited")
    bob.write("data/new.png", "new")
    assert conditions(bob, "data") == {"data": ["modified", "partial"]}
    done = bob.gitmlog("add", "data")
    assert done.code == 0, done
    assert "20 files of data that were never fetched here stay in it" in done.err
    assert b"files = 31" in (bob.root / "data.gitmlog").read_bytes()
    assert conditions(bob, "data") == {"data": ["partial"]}
    (bob.root / "data/img_001.png").unlink()
    bob.ok("add", "data")
    assert b"files = 30" in (bob.root / "data.gitmlog").read_bytes()
    bob.ok("pull")
    assert len(list((bob.root / "data").iterdir())) == 30


def test_a_removed_part_is_taken_out_by_naming_it(team: Team) -> None:
    (team.ada.root / "data/img_003.png").unlink()
    team.ada.ok("add", "data/img_003.png")
    assert b"files = 29" in (team.ada.root / "data.gitmlog").read_bytes()
    assert conditions(team.ada, "data") == {"data": []}
    team.ada.fails("add", "data/img_003.png", code=3, kind="no-path")


def test_a_part_that_was_never_here_is_not_taken_out_by_naming_it(team: Team) -> None:
    team.publish()
    bob = team.clone()
    bob.ok("pull", "data/img_00*")
    bob.fails("add", "data/img_020.png", code=3, kind="no-path")
    bob.ok("add", "--force", "data/img_020.png")
    assert b"files = 29" in (bob.root / "data.gitmlog").read_bytes()


def test_a_pattern_that_matches_nothing_is_an_error(team: Team) -> None:
    team.publish()
    bob = team.clone()
    bob.fails("pull", "data/zzz*", code=3, kind="no-path")
    bob.ok("pull")
    bob.fails("checkout", "data/zzz*", code=3, kind="no-path")
    for file in (bob.root / "data").rglob("*"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    bob.ok("status")  # old enough to be known as unchanged without a look at them
    bob.fails("checkout", "data/zzz*", code=3, kind="no-path")


@pytest.fixture
def conflict(sandbox: Sandbox) -> Sandbox:
    """A merge that stopped in m.bin.gitmlog."""
    sandbox.write("m.bin", "base")
    sandbox.ok("add", "m.bin", "--desc", "kept")
    sandbox.commit("base")
    for branch, text in (("left", "ours"), ("right", "theirs")):
        sandbox.git("checkout", "-q", "-b", branch, "main")
        sandbox.ok("checkout")
        sandbox.write("m.bin", text)
        sandbox.ok("add", "m.bin")
        sandbox.commit(branch)
    sandbox.git("checkout", "-q", "left")
    sandbox.ok("checkout")
    assert subprocess.run(["git", "merge", "-q", "right"], cwd=sandbox.root, capture_output=True, check=False).returncode == 1
    return sandbox


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_side_of_a_conflict(conflict: Sandbox, side: str) -> None:
    conflict.ok("checkout", f"--{side}", "m.bin")
    assert (conflict.root / "m.bin").read_text() == side
    assert conflict.git("diff", "--name-only", "--diff-filter=U") == ""
    conflict.git("commit", "-q", "--no-edit")
    assert conditions(conflict) == {"m.bin": []}


def test_a_conflict_is_resolved_by_adding(conflict: Sandbox) -> None:
    status = json.loads(conflict.ok("status", "--json"))["paths"]
    assert status[0]["conditions"] == ["bad"]
    assert "--ours" in status[0]["detail"]
    conflict.write("m.bin", "merged by hand")
    conflict.ok("add", "m.bin")
    conflict.git("commit", "-q", "--no-edit")
    assert conditions(conflict) == {"m.bin": []}


def test_no_conflict_to_resolve(sandbox: Sandbox) -> None:
    sandbox.write("m.bin", "m")
    sandbox.ok("add", "m.bin")
    sandbox.fails("checkout", "--ours", code=3, kind="no-conflict")


def test_a_version_that_git_published_too_early_is_sent(team: Team) -> None:
    team.ada.git("push", "-q", "origin", "HEAD")
    team.ada.write("m.bin", "two")
    team.ada.ok("add", "m.bin")
    team.ada.commit("two")
    team.publish()
    bob = team.clone()
    assert bob.ok("cat", "HEAD~2:m.bin") == "one"


def test_a_long_gitignore_is_staged_whole(sandbox: Sandbox) -> None:
    text = "".join(f"/some_ignored_file_{number:07d}.bin\n" for number in range(40_000))
    sandbox.write(".gitignore", text)
    sandbox.commit()
    sandbox.write("x", "x")
    sandbox.ok("add", "x")
    assert sandbox.git("show", ":.gitignore") == f"{text}/x\n"


def test_a_write_through_mmap_is_seen(sandbox: Sandbox) -> None:
    path = sandbox.write("m.bin", b"A" * 1_000_000)
    with path.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as memory:
        memory[:4] = b"BBBB"
        time.sleep(0.05)  # else the clock's step alone would make the file doubtful
        sandbox.ok("add", "m.bin")
        memory[:4] = b"CCCC"
    assert conditions(sandbox) == {"m.bin": ["modified"]}
    sandbox.fails("rm", "m.bin", code=6, kind="would-overwrite")


def test_a_write_while_checkout_runs_is_not_lost(two_big_versions: Sandbox) -> None:
    sandbox = two_big_versions
    from gitmlog.ops import carry as module
    from gitmlog.ops.checkout import checkout
    from gitmlog.repo.workspace import Workspace

    before = module._clear_way

    def edit(*arguments: object) -> None:
        sandbox.write("d/z", b"UNSAVED")
        before(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_clear_way", edit)
        with pytest.raises(module.RefusedError, match="while the checkout ran"):
            checkout(Workspace.open(sandbox.root), ["d"], sandbox.root, revision="HEAD~1")
    assert (sandbox.root / "d/z").read_bytes() == b"UNSAVED"


@pytest.fixture
def two_big_versions(sandbox: Sandbox) -> Sandbox:
    """d/ in two commits."""
    for number in range(2):
        for name in ("a", "z"):
            sandbox.write(f"d/{name}", os.urandom(1000) + b"%d" % number)
        sandbox.ok("add", "d")
        sandbox.commit(str(number))
    return sandbox


def test_adding_heals_the_cache(sandbox: Sandbox) -> None:
    for name in ("a", "b"):
        sandbox.write(f"d/{name}", name * 1000)
    sandbox.ok("add", "d")
    objects = [path for path in (sandbox.root / ".git/gitmlog/cache/objects").rglob("*") if path.is_file()]
    victim = next(path for path in objects if path.read_bytes() == b"a" * 1000)
    victim.unlink()
    sandbox.ok("add", "d")
    assert victim.read_bytes() == b"a" * 1000
    victim.chmod(0o644)
    victim.write_bytes(b"x" * 1000)
    sandbox.write("copy", "a" * 1000)
    sandbox.ok("add", "copy")
    assert victim.read_bytes() == b"a" * 1000


def test_nested_metafiles_are_named_before_what_git_tracks(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.write("models/m.bin", "m")
    sandbox.ok("add", "models/m.bin")
    sandbox.fails("add", "models", code=6, kind="nested-metafile")
