"""`gitmlog gc`: what it keeps, what it takes, and when."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from gitmlog.core.digest import hash_bytes
from tests.conftest import Sandbox


def gc(box: Sandbox, *arguments: str) -> dict[str, Any]:
    done = box.here("gc", *arguments, "--json")
    assert done.code == 0, done
    found: dict[str, Any] = json.loads(done.out)
    return found


def counts(report: dict[str, Any]) -> dict[str, int]:
    names = ("reachable", "unpushed", "moved", "deleted", "restored", "trash")
    return {name: report[name]["objects"] for name in names if report[name]["objects"]}


def objects(box: Sandbox, place: str = "objects") -> set[str]:
    folder = box.root / ".git/gitmlog/cache" / place
    return {path.parent.name + path.name for path in folder.rglob("*") if path.is_file()}


def add(box: Sandbox, data: bytes, path: str = "m.bin") -> str:
    box.write(path, data)
    assert box.here("add", path).code == 0
    return hash_bytes(data)


@pytest.fixture
def box(sandbox: Sandbox, tmp_path: Path) -> Sandbox:
    """One version that is reached, one that nothing reaches, both on the remote."""
    sandbox.write("README", "x")
    sandbox.commit()
    assert sandbox.here("remote", "add", "origin", str(tmp_path / "store")).code == 0
    for data in (b"old", b"now"):
        add(sandbox, data)
        assert sandbox.here("push").code == 0
    sandbox.commit()
    return sandbox


def age(box: Sandbox, days: float) -> None:
    for path in (box.root / ".git/gitmlog/cache/trash").rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - days * 86400,) * 2)


def test_a_dry_run_changes_nothing(box: Sandbox) -> None:
    before = objects(box)
    assert counts(gc(box)) == {"reachable": 1, "moved": 1, "trash": 1}
    assert objects(box) == before
    assert "nothing was changed" in box.here("gc").out


def test_two_phases_and_grace(box: Sandbox) -> None:
    assert counts(gc(box, "--prune")) == {"reachable": 1, "moved": 1, "trash": 1}
    assert objects(box, "trash") == {hash_bytes(b"old")}
    age(box, 13.9)
    assert counts(gc(box, "--prune")) == {"reachable": 1, "trash": 1}
    assert counts(gc(box, "--prune", "--grace", "20")) == {"reachable": 1, "trash": 1}
    age(box, 14.1)
    assert counts(gc(box, "--prune")) == {"reachable": 1, "deleted": 1}
    assert objects(box) == {hash_bytes(b"now")}
    assert objects(box, "trash") == set()


def test_no_grace_frees_at_once(box: Sandbox) -> None:
    assert counts(gc(box, "--prune", "--grace", "0")) == {"reachable": 1, "moved": 1, "deleted": 1}
    assert objects(box) | objects(box, "trash") == {hash_bytes(b"now")}


def test_the_time_in_the_trash_counts_not_the_age_of_the_object(box: Sandbox) -> None:
    oid = hash_bytes(b"old")
    path = box.root / ".git/gitmlog/cache/objects" / oid[:2] / oid[2:]
    os.utime(path, (0, 0))
    gc(box, "--prune")
    assert counts(gc(box, "--prune")) == {"reachable": 1, "trash": 1}


def test_readers_and_gc_take_back_what_is_needed_again(box: Sandbox) -> None:
    gc(box, "--prune")
    add(box, b"old")
    assert objects(box, "trash") == set()
    add(box, b"now")
    gc(box, "--prune")
    text = (box.root / "m.bin.gitmlog").read_text()
    box.write("again.bin.gitmlog", text.replace(hash_bytes(b"now"), hash_bytes(b"old")).replace("m.bin", "again.bin"))
    assert counts(gc(box, "--prune", "--grace", "0")) == {"reachable": 1, "restored": 1}


def test_what_no_remote_holds_is_kept(box: Sandbox) -> None:
    add(box, b"never pushed")
    add(box, b"now")
    assert counts(gc(box, "--prune", "--grace", "0")) == {"reachable": 1, "unpushed": 1, "moved": 1, "deleted": 1}
    assert hash_bytes(b"never pushed") in objects(box)
    assert counts(gc(box, "--prune", "--grace", "0", "--unpushed")) == {"reachable": 1, "moved": 1, "deleted": 1}
    assert objects(box) == {hash_bytes(b"now")}


def test_a_remote_that_cannot_be_asked_holds_nothing(box: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "store").rename(tmp_path / "away")
    (tmp_path / "store").write_text("not a folder")
    report = gc(box, "--prune", "--grace", "0")
    assert counts(report) == {"reachable": 1, "unpushed": 1}
    assert any("origin" in note for note in report["notes"])


def test_the_cache_is_no_remote_of_its_own(box: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(box.root / ".git/gitmlog/cache")
    box.write(".git/gitmlog/config.toml", f'version = 1\n[remote.origin]\nurl = "{tmp_path}/alias"\n')
    assert counts(gc(box, "--prune", "--grace", "0")) == {"reachable": 1, "unpushed": 1}


def test_everything_that_git_reaches_is_kept(box: Sandbox, tmp_path: Path) -> None:
    kept = set()
    box.git("checkout", "-q", "-b", "side")
    kept.add(add(box, b"on a branch"))
    box.commit()
    kept.add(add(box, b"in a stash"))
    box.git("stash", "-q")
    kept.add(add(box, b"tagged"))
    box.git("commit", "-q", "-am", "x")
    box.git("tag", "keep")
    box.git("reset", "-q", "--hard", "HEAD~1")
    box.git("checkout", "-q", "main")
    box.git("worktree", "add", "-q", "--detach", str(tmp_path / "other"))
    other = Sandbox(tmp_path / "other")
    kept.add(add(other, b"staged in a worktree"))
    kept.add(add(other, b"only a file", "loose.bin"))
    other.git("rm", "-q", "--cached", "loose.bin.gitmlog")
    kept.add(add(box, b"ignored", "hidden.bin"))
    box.git("rm", "-q", "--cached", "hidden.bin.gitmlog")
    box.write(".git/info/exclude", "hidden.bin.gitmlog\n")
    gc(box, "--prune", "--grace", "0", "--unpushed")
    assert objects(box) == kept | {hash_bytes(b"now")}


def test_a_conflict_reaches_both_sides(box: Sandbox) -> None:
    text = (box.root / "m.bin.gitmlog").read_text()
    theirs = text.replace(hash_bytes(b"now"), hash_bytes(b"old"))
    box.write("m.bin.gitmlog", f"<<<<<<< ours\n{text}=======\n{theirs}>>>>>>> theirs\n")
    report = gc(box, "--prune", "--grace", "0", "--unpushed")
    assert objects(box) == {hash_bytes(b"now"), hash_bytes(b"old")}
    assert report["notes"]


def test_a_conflict_of_directories_reaches_their_files(box: Sandbox) -> None:
    box.write("data/one", b"file one")
    box.write("data/two", b"file two")
    assert box.here("add", "data").code == 0
    before = objects(box)
    text = (box.root / "data.gitmlog").read_text()
    box.git("rm", "-q", "--cached", "data.gitmlog")
    box.write("data.gitmlog", f"<<<<<<< ours\n{text}")
    gc(box, "--prune", "--grace", "0", "--unpushed")
    assert objects(box) == before - {hash_bytes(b"old")}


def test_a_newer_metafile_stops_everything(box: Sandbox) -> None:
    box.write("new.bin.gitmlog", "version = 2\nshiny = true\n")
    box.commit()
    box.git("rm", "-q", "new.bin.gitmlog")
    box.commit()
    box.fails("gc", "--prune", "--unpushed", code=6, kind="newer-version")
    assert len(objects(box)) == 2
    assert any("version 2" in note for note in gc(box)["notes"])


def test_missing_trees_are_fetched_or_refused(box: Sandbox, tmp_path: Path) -> None:
    box.write("data/x", b"listed")
    assert box.here("add", "data").code == 0
    assert box.here("push").code == 0
    box.commit()
    oid = json.loads(box.here("add", "data", "--json").out)["added"][0]["oid"]
    tree = box.root / ".git/gitmlog/cache/objects" / oid[:2] / oid[2:]
    tree.unlink()
    gc(box, "--prune", "--grace", "0", "--unpushed")
    assert tree.exists()
    assert hash_bytes(b"listed") in objects(box)
    tree.unlink()
    (tmp_path / "store/objects" / oid[:2] / oid[2:]).unlink()
    box.fails("gc", "--prune", "--grace", "0", "--unpushed", code=6, kind="missing-trees")
    assert hash_bytes(b"listed") in objects(box)


def test_a_shared_cache(box: Sandbox, tmp_path: Path) -> None:
    box.git("clone", "-q", str(box.root), str(tmp_path / "clone"))
    clone = Sandbox(tmp_path / "clone")
    assert clone.here("config", "cache.dir", str(box.root / ".git/gitmlog/cache")).code == 0
    add(clone, b"of the clone", "c.bin")
    for one in (box, clone):
        one.fails("gc", "--prune", code=6, kind="shared-cache")
        assert one.here("gc").code == 0
    options = ("--prune", "--grace", "0", "--unpushed", "--no-other-clones", "--clone")
    gc(box, *options, str(clone.root))
    assert objects(box) == {hash_bytes(b"now"), hash_bytes(b"of the clone")}


def test_what_killed_commands_left_goes(box: Sandbox) -> None:
    for place in (".git/gitmlog/cache/tmp/dead", ".git/gitmlog/tmp/dead"):
        box.write(f"{place}/owner", b"")
        box.write(f"{place}/0", b"half a file")
    assert gc(box, "--prune")["sessions"] == 2
    assert not (box.root / ".git/gitmlog/cache/tmp/dead").exists()


def test_a_damaged_repository_stops_everything(box: Sandbox) -> None:
    oid = box.git("rev-parse", "HEAD~1").strip()
    (box.root / f".git/objects/{oid[:2]}/{oid[2:]}").unlink()
    box.fails("gc", "--prune", "--unpushed", "--grace", "0", code=1, kind="damaged-repository")
    assert len(objects(box)) == 2
