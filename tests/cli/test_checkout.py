"""`checkout`, `status`, `mv`, `rm`: the working tree follows the metafiles, and nothing unsaved is lost."""

from __future__ import annotations

import json
import os

import pytest

from tests.conftest import Sandbox


def conditions(sandbox: Sandbox, path: str | None = None) -> dict[str, list[str]]:
    """What `status` says of each path."""
    found = json.loads(sandbox.ok("status", "--json", *([path] if path else [])))
    return {item["path"]: [word for word in item["conditions"] if word != "not-pushed"] for item in found["paths"]}


@pytest.fixture
def two_versions(sandbox: Sandbox) -> Sandbox:
    """m.bin and d/ in two commits."""
    sandbox.write("m.bin", b"one")
    for name in ("a", "sub/b", "gone"):
        sandbox.write(f"d/{name}", f"{name} 1")
    sandbox.ok("add", "m.bin", "d")
    sandbox.commit("one")
    sandbox.write("m.bin", b"two")
    sandbox.write("d/a", "a 2")
    sandbox.write("d/sub/new", "new")
    (sandbox.root / "d/gone").unlink()
    sandbox.ok("add", "m.bin", "d")
    sandbox.commit("two")
    return sandbox


def files(sandbox: Sandbox) -> dict[str, str]:
    """What d/ and m.bin hold."""
    found = [sandbox.root / "m.bin", *(path for path in (sandbox.root / "d").rglob("*") if path.is_file())]
    return {path.relative_to(sandbox.root).as_posix(): path.read_text() for path in found if path.exists()}


ONE = {"m.bin": "one", "d/a": "a 1", "d/sub/b": "sub/b 1", "d/gone": "gone 1"}
TWO = {"m.bin": "two", "d/a": "a 2", "d/sub/b": "sub/b 1", "d/sub/new": "new"}


def test_follows_git(two_versions: Sandbox) -> None:
    two_versions.git("checkout", "-q", "HEAD~1")
    assert conditions(two_versions) == {"d": ["behind"], "m.bin": ["behind"]}
    two_versions.ok("checkout")
    assert files(two_versions) == ONE
    two_versions.git("checkout", "-q", "main")
    two_versions.ok("checkout")
    assert files(two_versions) == TWO
    assert conditions(two_versions) == {"d": [], "m.bin": []}


def test_missing_files_come_back(two_versions: Sandbox) -> None:
    (two_versions.root / "m.bin").unlink()
    (two_versions.root / "d/sub/new").unlink()
    assert conditions(two_versions) == {"d": ["modified"], "m.bin": ["missing"]}
    two_versions.ok("checkout", "m.bin")
    assert conditions(two_versions) == {"d": ["modified"], "m.bin": []}
    two_versions.ok("checkout", "d/sub")
    assert files(two_versions) == TWO


def test_a_part_of_a_directory(two_versions: Sandbox) -> None:
    for path in ("d/a", "d/sub/b", "d/sub/new"):
        (two_versions.root / path).unlink()
    two_versions.ok("checkout", "d/sub/n*")
    assert sorted(files(two_versions)) == ["d/sub/new", "m.bin"]
    two_versions.ok("checkout", "d/a", "m.bin")
    assert sorted(files(two_versions)) == ["d/a", "d/sub/new", "m.bin"]


def test_one_model_rolled_back(two_versions: Sandbox) -> None:
    two_versions.ok("checkout", "--rev", "HEAD~1", "m.bin")
    assert files(two_versions) == TWO | {"m.bin": "one"}
    assert two_versions.git("status", "--porcelain") == "M  m.bin.gitmlog\n"
    two_versions.commit("back")
    assert two_versions.git("diff", "--stat", "HEAD~2", "--", "m.bin.gitmlog") == ""


def test_a_part_of_a_directory_rolled_back(two_versions: Sandbox) -> None:
    two_versions.ok("checkout", "--rev", "HEAD~1", "d/a", "d/gone")
    assert files(two_versions) == TWO | {"d/a": "a 1", "d/gone": "gone 1"}
    assert conditions(two_versions) == {"d": [], "m.bin": []}
    assert two_versions.git("status", "--porcelain") == "M  d.gitmlog\n"


def test_unsaved_bytes_are_never_overwritten(two_versions: Sandbox) -> None:
    two_versions.write("m.bin", b"precious")
    two_versions.write("d/a", b"precious too")
    two_versions.git("checkout", "-q", "HEAD~1")
    done = two_versions.gitmlog("checkout", "--json")
    error = json.loads(done.err)["error"]
    assert (done.code, error["kind"]) == (6, "would-overwrite")
    assert "d/a" in error["message"] and "m.bin" in error["message"] and "--force" in error["hint"]
    assert (two_versions.root / "m.bin").read_bytes() == b"precious"
    assert (two_versions.root / "d/gone").exists() is False
    two_versions.ok("checkout", "--force")
    assert files(two_versions) == ONE


def test_unsaved_files_that_the_version_does_not_have_stay(two_versions: Sandbox) -> None:
    two_versions.write("d/notes.txt", b"mine")
    done = two_versions.gitmlog("checkout", "--rev", "HEAD~1", "d")
    assert done.code == 0 and "notes.txt" in done.err
    assert (two_versions.root / "d/notes.txt").read_bytes() == b"mine"
    assert not (two_versions.root / "d/sub/new").exists()
    assert (two_versions.root / "d/gone").read_text() == "gone 1"


def test_executables_and_links_come_back(sandbox: Sandbox) -> None:
    os.chmod(sandbox.write("d/run", b"#!/bin/sh\n"), 0o755)
    (sandbox.root / "d/link").symlink_to("run")
    os.chmod(sandbox.write("tool", b"#!"), 0o755)
    sandbox.ok("add", "d", "tool")
    sandbox.run("rm", "-r", "d", "tool", check=True)
    sandbox.ok("checkout")
    assert os.readlink(sandbox.root / "d/link") == "run"
    assert os.access(sandbox.root / "d/run", os.X_OK) and os.access(sandbox.root / "tool", os.X_OK)
    assert conditions(sandbox) == {"d": [], "tool": []}


@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink"])
def test_link_kinds(two_versions: Sandbox, link: str) -> None:
    two_versions.ok("config", "cache.link", link)
    two_versions.run("rm", "-r", "d", "m.bin", check=True)
    two_versions.ok("checkout")
    assert files(two_versions) == TWO
    assert (two_versions.root / "m.bin").is_symlink() == (link == "symlink")
    assert conditions(two_versions) == {"d": [], "m.bin": []}
    two_versions.git("checkout", "-q", "HEAD~1")
    two_versions.ok("checkout")
    assert files(two_versions) == ONE


def test_an_empty_directory(sandbox: Sandbox) -> None:
    (sandbox.root / "empty").mkdir()
    sandbox.ok("add", "empty")
    (sandbox.root / "empty").rmdir()
    sandbox.ok("checkout")
    assert (sandbox.root / "empty").is_dir()
    assert conditions(sandbox) == {"empty": []}


def test_mv_and_rm(two_versions: Sandbox) -> None:
    (two_versions.root / "models").mkdir()
    two_versions.ok("mv", "m.bin", "models")
    assert (two_versions.root / "models/m.bin").read_bytes() == b"two"
    assert conditions(two_versions) == {"d": [], "models/m.bin": []}
    assert "R" in two_versions.git("status", "--porcelain")
    two_versions.commit("moved")
    two_versions.ok("rm", "--cached", "models/m.bin")
    assert (two_versions.root / "models/m.bin").exists()
    assert "models/" in two_versions.git("status", "--porcelain", "-uall")
    two_versions.ok("rm", "d")
    assert not (two_versions.root / "d").exists()
    two_versions.commit("gone")
    two_versions.ok("checkout", "--rev", "HEAD~1", "d", "models/m.bin")
    assert files(two_versions) == {name: text for name, text in TWO.items() if name != "m.bin"}


def test_rm_refuses_to_lose_bytes(sandbox: Sandbox) -> None:
    sandbox.write("m.bin", b"one")
    sandbox.ok("add", "m.bin")
    sandbox.write("m.bin", b"unsaved")
    assert sandbox.gitmlog("rm", "m.bin").code == 6
    assert (sandbox.root / "m.bin").read_bytes() == b"unsaved"
    sandbox.ok("rm", "--force", "m.bin")
    assert not (sandbox.root / "m.bin").exists()


def test_git_mv_of_the_metafile_is_told(two_versions: Sandbox) -> None:
    two_versions.git("mv", "m.bin.gitmlog", "n.bin.gitmlog")
    assert conditions(two_versions)["n.bin"] == ["missing", "stale"]
    two_versions.ok("checkout", "n.bin")
    two_versions.ok("add", "n.bin")
    assert conditions(two_versions)["n.bin"] == []


def test_status_names_large_files_and_exits_with_4(sandbox: Sandbox) -> None:
    sandbox.write("huge.bin", b"\0" * (11 << 20))
    found = json.loads(sandbox.ok("status", "--json"))
    assert found["large"] == {"huge.bin": 11 << 20}
    assert sandbox.gitmlog("status", "--exit-code").code == 4
    sandbox.ok("add", "huge.bin")
    assert sandbox.gitmlog("status", "--exit-code").code == 0
