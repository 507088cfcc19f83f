"""What other programs, other clones and wrong metafiles do to the cache and the index: nothing whole is lost to it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from gitmlog.core.digest import hash_bytes
from tests.conftest import Sandbox

OID = hash_bytes(b"x" * 1000)


def object_of(box: Sandbox, oid: str = OID, place: str = "objects") -> Path:
    return box.root / ".git/gitmlog/cache" / place / oid[:2] / oid[2:]


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """One tracked file, committed."""
    sandbox.write("m", b"x" * 1000)
    assert sandbox.here("add", "m").code == 0
    sandbox.commit()
    return sandbox


@pytest.mark.parametrize("link", ["copy", "reflink,copy", "hardlink", "symlink"])
def test_a_wrong_size_in_a_metafile_costs_no_object(box: Sandbox, link: str) -> None:
    assert box.here("config", "cache.link", link).code == 0
    metafile = box.root / "m.gitmlog"
    metafile.write_text(metafile.read_text().replace("size = 1000", "size = 5"))
    (box.root / "m").unlink()
    error = box.fails("checkout", code=5, kind="bad-metafile")
    assert "says 5 bytes, the object has 1000" in error["message"]
    assert object_of(box).read_bytes() == b"x" * 1000
    box.git("checkout", "m.gitmlog")
    assert box.here("checkout").code == 0


def test_verify_takes_whole_objects_back_from_quarantine(box: Sandbox) -> None:
    quarantine = box.root / ".git/gitmlog/cache/quarantine"
    quarantine.mkdir()
    (box.root / "m").unlink()
    object_of(box).rename(quarantine / OID)
    (quarantine / hash_bytes(b"1")).write_bytes(b"2")
    assert box.here("verify").code == 5
    done = box.here("verify", "--repair", "--json")
    assert done.code == 0, done
    assert "taken back" in done.out
    assert object_of(box).read_bytes() == b"x" * 1000
    assert [path.name for path in quarantine.iterdir()] == [hash_bytes(b"1")]


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_an_edit_through_a_link_is_found_at_the_next_checkout(box: Sandbox, link: str) -> None:
    assert box.here("config", "cache.link", link).code == 0
    (box.root / "m").unlink()
    assert box.here("checkout").code == 0
    object_of(box).chmod(0o644)
    with (box.root / "m").open("r+b") as stream:
        stream.write(b"edited")
    (box.root / "m").unlink()
    box.fails("checkout", code=5, kind="corrupt")
    assert not os.path.lexists(box.root / "m")
    assert not object_of(box).exists()
    assert (box.root / ".git/gitmlog/cache/quarantine" / OID).exists()


def test_mv_does_not_take_an_unrelated_file_for_its_own(box: Sandbox) -> None:
    (box.root / "m").unlink()
    box.write("b", b"not kept anywhere")
    box.fails("mv", "m", "b", code=6, kind="exists")
    assert (box.root / "b").read_bytes() == b"not kept anywhere"
    assert (box.root / "m.gitmlog").exists()
    assert not (box.root / "b.gitmlog").exists()
    box.write("b", b"x" * 1000)
    assert box.here("mv", "m", "b").code == 0, "moved by hand before"
    assert (box.root / "b.gitmlog").exists()
    assert not (box.root / "m.gitmlog").exists()


def test_mv_does_not_take_an_unrelated_directory_for_its_own(sandbox: Sandbox) -> None:
    sandbox.write("d/x", b"1")
    assert sandbox.here("add", "d").code == 0
    sandbox.commit()
    (sandbox.root / "d").rename(sandbox.root / "away")
    (sandbox.root / "n").mkdir()
    sandbox.write("n/d/x", b"2")
    sandbox.fails("mv", "d", "n", code=6, kind="exists")
    assert (sandbox.root / "n/d/x").read_bytes() == b"2"
    sandbox.write("n/d/x", b"1")
    assert sandbox.here("mv", "d", "n").code == 0


@pytest.mark.parametrize("how", ["symlink", "by hand"])
@pytest.mark.parametrize("command", ["add", "pull"])
def test_gc_knows_of_clones_that_share_the_cache(box: Sandbox, tmp_path: Path, how: str, command: str) -> None:
    box.git("clone", "-q", str(box.root), str(tmp_path / "clone"))
    clone, cache = Sandbox(tmp_path / "clone"), box.root / ".git/gitmlog/cache"
    (clone.root / ".git/gitmlog").mkdir()
    if how == "symlink":
        (clone.root / ".git/gitmlog/cache").symlink_to(cache)
    else:
        clone.write(".git/gitmlog/config.toml", f'version = 1\n[cache]\ndir = "{cache}"\n')
    if command == "add":
        clone.write("c", b"of the clone")
        assert clone.here("add", "c").code == 0
    else:
        clone.here("checkout")
    for one in (box, clone):
        error = one.fails("gc", "--prune", "--unpushed", code=6, kind="shared-cache")
    error = box.fails("gc", "--prune", "--unpushed", code=6, kind="shared-cache")
    assert str(clone.root / ".git") in error["message"]
    clone.here("checkout")
    assert (cache / "shared").read_text().count("\n") == 1


def test_gc_in_a_clone_that_never_did_anything_else(box: Sandbox, tmp_path: Path) -> None:
    box.git("clone", "-q", str(box.root), str(tmp_path / "clone"))
    clone = Sandbox(tmp_path / "clone")
    (clone.root / ".git/gitmlog").mkdir()
    (clone.root / ".git/gitmlog/cache").symlink_to(box.root / ".git/gitmlog/cache")
    clone.fails("gc", "--prune", "--unpushed", code=6, kind="shared-cache")
    assert not (box.root / ".git/gitmlog/cache/trash").exists()


def test_a_cache_of_ones_own_is_not_shared(box: Sandbox, tmp_path: Path) -> None:
    assert not (box.root / ".git/gitmlog/cache/shared").exists()
    box.git("worktree", "add", "-q", str(tmp_path / "tree"))
    tree = Sandbox(tmp_path / "tree")
    assert tree.here("checkout").code == 0
    assert not (box.root / ".git/gitmlog/cache/shared").exists()


def test_git_is_quoted_by_its_last_words() -> None:
    from gitmlog.git.plumbing import last_words

    said = "warning: x\nerror: first\nfatal: could not read\nhint: try this\n\n"
    assert last_words(said) == "could not read"
    assert last_words("some words\nand more\n") == "and more"
    assert last_words("") == ""


def test_the_umask_is_read_without_setting_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from gitmlog.core.atomic import process_umask

    before = os.umask(0o027)
    try:
        monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("another thread would create files for everybody"))
        if Path("/proc/self/status").exists():
            assert process_umask() == 0o027
            thread = threading.Thread(target=process_umask)
            thread.start()
            thread.join()
    finally:
        monkeypatch.undo()
        os.umask(before)
