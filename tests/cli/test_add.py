"""`add`: what is kept, what is staged, what is said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import blake3
import pytest

from tests.conftest import Sandbox


def objects(sandbox: Sandbox) -> dict[str, bytes]:
    """Every object in the cache."""
    folder = sandbox.root / ".git/gitmlog/cache/objects"
    return {path.parent.name + path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_file_is_kept_ignored_and_staged(sandbox: Sandbox) -> None:
    data = os.urandom(100_000)
    sandbox.write("model.bin", data)
    sandbox.ok("add", "model.bin")
    oid = blake3.blake3(data).hexdigest()
    assert objects(sandbox) == {oid: data}
    expected = f'version = 1\n\n[file]\npath = "model.bin"\nblake3 = "{oid}"\nsize = 100000\n'
    assert (sandbox.root / "model.bin.gitmlog").read_text() == expected
    assert sandbox.git("status", "--porcelain") == "A  .gitignore\nA  model.bin.gitmlog\n"
    assert sandbox.git("check-ignore", "model.bin").strip() == "model.bin"


def test_the_same_bytes_write_the_same_text(sandbox: Sandbox) -> None:
    sandbox.write("m.bin", b"one")
    sandbox.ok("add", "m.bin", "--desc", "first", "--type", "model")
    first = (sandbox.root / "m.bin.gitmlog").read_bytes()
    sandbox.commit()
    sandbox.write("m.bin", b"two")
    assert "added" in sandbox.ok("add", "m.bin")
    assert b'desc = "first"' in (sandbox.root / "m.bin.gitmlog").read_bytes()
    sandbox.write("m.bin", b"one")
    sandbox.ok("add", "m.bin")
    assert (sandbox.root / "m.bin.gitmlog").read_bytes() == first
    assert sandbox.git("status", "--porcelain") == ""
    assert set(objects(sandbox).values()) == {b"one", b"two"}


def test_adding_again_changes_nothing(sandbox: Sandbox) -> None:
    sandbox.write("d/a", b"a")
    sandbox.ok("add", "d")
    before = (sandbox.root / "d.gitmlog").stat().st_mtime_ns
    assert sandbox.ok("add", "d").startswith("unchanged")
    assert (sandbox.root / "d.gitmlog").stat().st_mtime_ns == before


def test_a_directory_with_what_it_may_hold(sandbox: Sandbox) -> None:
    sandbox.write("d/a.txt", b"a")
    sandbox.write("d/sub dir/b.txt", b"b")
    sandbox.write("d/empty", b"")
    os.chmod(sandbox.write("d/run.sh", b"#!/bin/sh\n"), 0o755)
    (sandbox.root / "d/link").symlink_to("sub dir/b.txt")
    sandbox.ok("add", "d")
    tree = next(data for data in objects(sandbox).values() if data.startswith(b"gitmlog-tree"))
    kinds = {line.split(" ", 3)[3]: line[0] for line in tree.decode().splitlines()[1:]}
    assert kinds == {"a.txt": "-", "empty": "-", "link": "l", "run.sh": "x", "sub dir/b.txt": "-"}
    assert b"files = 5" in (sandbox.root / "d.gitmlog").read_bytes()


def test_part_of_a_directory_updates_that_part_alone(sandbox: Sandbox) -> None:
    for name in ("a", "b"):
        sandbox.write(f"d/{name}", name)
    sandbox.ok("add", "d")
    sandbox.write("d/a", "changed, not to be added")
    sandbox.write("d/new/c", "c")
    sandbox.ok("add", "d/new")
    status = json.loads(sandbox.ok("status", "--json"))["paths"][0]
    assert (status["conditions"], status["changed"], status["added"]) == (["modified"], ["a"], [])


def test_patterns_and_many_at_once(sandbox: Sandbox) -> None:
    for name in ("x1.pt", "x2.pt", "y.txt"):
        sandbox.write(name, name)
    added = json.loads(sandbox.ok("add", "*.pt", "--json"))["added"]
    assert [item["path"] for item in added] == ["x1.pt", "x2.pt"]
    assert sandbox.ok("add", "*.pt").count("unchanged") == 2


def test_from_a_folder_below(sandbox: Sandbox) -> None:
    sandbox.write("models/m.bin", b"m")
    sandbox.ok("add", "m.bin", cwd=sandbox.root / "models")
    assert (sandbox.root / "models/m.bin.gitmlog").exists()
    assert (sandbox.root / "models/.gitignore").read_text() == "/m.bin\n"


def test_a_users_own_unstaged_ignore_lines_stay_unstaged(sandbox: Sandbox) -> None:
    sandbox.write(".gitignore", "*.log\n")
    sandbox.commit()
    sandbox.write(".gitignore", "*.log\nmine\n")
    sandbox.write("m.bin", b"m")
    sandbox.ok("add", "m.bin")
    assert sandbox.git("show", ":.gitignore") == "*.log\n/m.bin\n"
    assert (sandbox.root / ".gitignore").read_text() == "*.log\nmine\n/m.bin\n"


@pytest.mark.parametrize("name", ["a b.bin", "#x", "!x", "[x].bin", "star*.bin", "trailing ", "ünï.bin", "q?.bin"])
def test_odd_names_are_ignored_exactly(sandbox: Sandbox, name: str) -> None:
    sandbox.write(name, b"odd")
    sandbox.ok("add", name)
    assert sandbox.git("-c", "core.quotePath=false", "check-ignore", name).rstrip("\n").strip('"') == name
    assert json.loads(sandbox.ok("status", "--json"))["paths"][0]["path"] == name


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_links_keep_the_bytes_once(sandbox: Sandbox, link: str) -> None:
    sandbox.write("d/a", b"x" * 1000)
    sandbox.write("d/b", b"x" * 1000)
    sandbox.ok("add", "--link", link, "d")
    path = sandbox.root / "d/a"
    oid = blake3.blake3(b"x" * 1000).hexdigest()
    assert os.stat(path).st_ino == (sandbox.root / ".git/gitmlog/cache/objects" / oid[:2] / oid[2:]).stat().st_ino
    assert path.read_bytes() == b"x" * 1000
    assert path.stat().st_mode & 0o222 == 0
    assert json.loads(sandbox.ok("status", "--json"))["clean"]
    sandbox.write("d/c", b"more")
    sandbox.ok("add", "d")
    assert json.loads(sandbox.ok("status", "--json"))["clean"]


def test_rehash_sees_what_no_stat_shows(sandbox: Sandbox) -> None:
    path = sandbox.write("m.bin", b"aaaa")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    sandbox.ok("add", "m.bin")
    state = sandbox.root / ".git/gitmlog/state.db"
    assert state.exists()
    path.write_bytes(b"bbbb")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert "added" in sandbox.ok("add", "--rehash", "m.bin")
    assert blake3.blake3(b"bbbb").hexdigest() in objects(sandbox)


def test_a_write_in_the_same_tick_is_seen(sandbox: Sandbox) -> None:
    """The state must not believe a file that was written in the tick in which it was hashed."""
    for number in range(5):
        path = sandbox.write("m.bin", b"%04d" % number)
        sandbox.ok("add", "m.bin")
        path.write_bytes(b"%04d" % (number + 1000))
        assert json.loads(sandbox.ok("status", "--json"))["paths"][0]["conditions"][0] == "modified"


def test_a_deleted_cache_is_filled_again(sandbox: Sandbox) -> None:
    import shutil

    sandbox.write("d/a", b"a")
    sandbox.ok("add", "d")
    shutil.rmtree(sandbox.root / ".git/gitmlog/cache")
    assert "not-cached" in json.loads(sandbox.ok("status", "--json"))["paths"][0]["conditions"]
    sandbox.ok("add", "d")
    assert set(objects(sandbox).values()) >= {b"a"}
    assert json.loads(sandbox.ok("status", "--json"))["clean"]


def test_large_files_are_copied_whole(sandbox: Sandbox, tmp_path: Path) -> None:
    data = os.urandom(20 << 20)
    sandbox.write("big.bin", data)
    sandbox.ok("add", "big.bin")
    assert objects(sandbox) == {blake3.blake3(data).hexdigest(): data}
