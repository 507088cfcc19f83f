"""`gitmlog verify`: every byte is read, damage is named, whole copies take its place."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gitmlog.core.digest import hash_bytes
from tests.conftest import Sandbox


def verify(box: Sandbox, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = box.here("verify", *arguments, "--json")
    assert done.code == code, done
    found: dict[str, Any] = json.loads(done.out)
    assert found["whole"] == (code == 0)
    return found


def said(report: dict[str, Any]) -> list[tuple[str, str, list[str], bool]]:
    return [(item["place"], item["condition"], item["paths"], item["repaired"]) for item in report["problems"]]


def spoil(folder: Path, data: bytes, instead: bytes | None = None) -> Path:
    """Change the object of `data` in place, keeping size, mode and times; or remove it."""
    oid = hash_bytes(data)
    path = folder / "objects" / oid[:2] / oid[2:]
    if instead is None:
        path.unlink()
        return path
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(instead)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return path


@pytest.fixture
def box(sandbox: Sandbox, tmp_path: Path) -> Sandbox:
    sandbox.write("m.bin", b"model 1")
    sandbox.write("data/a/x", b"xxxx")
    sandbox.write("data/y", b"yyyy")
    (sandbox.root / "data/l").symlink_to("a/x")
    assert sandbox.here("add", "m.bin", "data").code == 0
    sandbox.commit()
    assert sandbox.here("remote", "add", "origin", str(tmp_path / "store")).code == 0
    assert sandbox.here("push").code == 0
    return sandbox


def cache(box: Sandbox) -> Path:
    return box.root / ".git/gitmlog/cache"


def test_all_whole(box: Sandbox) -> None:
    report = verify(box)
    assert (report["objects"], report["problems"]) == (5, [])
    assert "all is whole" in box.here("verify").out


def test_damage_is_named_and_set_aside(box: Sandbox) -> None:
    spoil(cache(box), b"xxxx", b"XXXX")
    spoil(cache(box), b"model 1", b"model X")
    assert said(verify(box, code=5)) == [("cache", "damaged", ["data/a/x"], False), ("cache", "damaged", ["m.bin"], False)]
    assert {path.name for path in (cache(box) / "quarantine").iterdir()} == {hash_bytes(b"xxxx"), hash_bytes(b"model 1")}
    assert said(verify(box, code=5)) == [("cache", "missing", ["data/a/x"], False), ("cache", "missing", ["m.bin"], False)]


def test_repair_from_the_working_tree_without_a_remote(box: Sandbox) -> None:
    assert box.here("remote", "remove", "origin").code == 0
    tree = json.loads(box.here("status", "--json").out)
    spoil(cache(box), b"xxxx", b"XXXX")
    spoil(cache(box), b"a/x")
    for path in (cache(box) / "objects").rglob("*"):
        if path.is_file() and path.read_bytes().startswith(b"gitmlog-tree"):
            path.unlink()
    report = verify(box, "--repair")
    assert len(report["problems"]) == 3, (report, tree)
    assert verify(box)["objects"] == 5


def test_a_damaged_working_file_repairs_nothing(box: Sandbox) -> None:
    assert box.here("remote", "remove", "origin").code == 0
    spoil(cache(box), b"model 1", b"model X")
    box.write("m.bin", b"model Y")
    assert said(verify(box, "--repair", code=5)) == [("cache", "damaged", ["m.bin"], False)]
    assert hash_bytes(b"model Y") not in {p.parent.name + p.name for p in (cache(box) / "objects").rglob("*")}


def test_repair_from_the_remote(box: Sandbox) -> None:
    for name in ("m.bin", "data/a/x"):
        (box.root / name).unlink()
    spoil(cache(box), b"model 1", b"model X")
    spoil(cache(box), b"xxxx")
    assert all(item[3] for item in said(verify(box, "--repair")))
    assert verify(box)["problems"] == []
    assert box.here("checkout").code == 0


def test_remote_damage_and_its_repair(box: Sandbox, tmp_path: Path) -> None:
    spoil(tmp_path / "store", b"model 1", b"model X")
    spoil(tmp_path / "store", b"yyyy")
    expected = [("remote", "missing", ["data/y"]), ("remote", "damaged", ["m.bin"])]
    assert [item[:3] for item in said(verify(box, "--remote", code=5))] == expected
    assert "not-pushed" in box.here("status", "m.bin").out, "what was believed of the remote is forgotten"
    assert [item[3] for item in said(verify(box, "--remote", "--repair"))] == [True, True]
    assert verify(box, "--remote")["remote_objects"] == 5


def test_damage_on_both_sides_stays(box: Sandbox, tmp_path: Path) -> None:
    spoil(tmp_path / "store", b"model 1", b"model X")
    spoil(cache(box), b"model 1", b"model Z")
    (box.root / "m.bin").unlink()
    report = verify(box, "--remote", "--repair", code=5)
    assert said(report) == [("cache", "damaged", ["m.bin"], False), ("remote", "damaged", ["m.bin"], False)]


def test_a_fresh_clone_audits_the_remote(box: Sandbox, tmp_path: Path) -> None:
    box.git("clone", "-q", str(box.root), str(tmp_path / "clone"))
    clone = Sandbox(tmp_path / "clone")
    assert {item[1] for item in said(verify(clone, code=5))} == {"missing"}
    report = verify(clone, "--remote", "--all")
    assert (report["remote_objects"], report["not_cached"]) == (5, 5)
    spoil(tmp_path / "store", b"yyyy", b"YYYY")
    assert ("remote", "damaged", ["data/y"], False) in said(verify(clone, "--remote", code=5))


def test_parts_and_other_remotes(box: Sandbox, tmp_path: Path) -> None:
    assert box.here("remote", "add", "backup", str(tmp_path / "backup"), "--local").code == 0
    assert box.here("config", "core.remote", "origin").code == 0
    spoil(cache(box), b"yyyy", b"YYYY")
    assert verify(box, "data/a")["objects"] == 2
    assert said(verify(box, "data/y", code=5))[0][2] == ["data/y"]
    missing = verify(box, "m.bin", "--remote", "--from", "backup", code=5)
    assert said(missing) == [("remote", "missing", ["m.bin"], False)]
    assert verify(box, "m.bin", "--remote", "--from", "backup", "--repair")["problems"][0]["repaired"]


def test_all_revisions(box: Sandbox) -> None:
    box.write("m.bin", b"model 2")
    assert box.here("add", "m.bin").code == 0
    box.commit()
    spoil(cache(box), b"model 1")
    assert verify(box)["problems"] == []
    assert said(verify(box, "--all", code=5)) == [("cache", "missing", ["m.bin"], False)]
    assert said(verify(box, "--all", "--repair")) == [("cache", "missing", ["m.bin"], True)]


def test_a_damaged_hard_link_is_seen_by_status(box: Sandbox) -> None:
    assert box.here("add", "--link", "hardlink", "m.bin").code == 0
    spoil(cache(box), b"model 1", b"model X")
    verify(box, "--repair")
    assert "modified" in box.here("status", "m.bin").out


def test_an_unreadable_metafile_is_not_all_is_whole(box: Sandbox) -> None:
    box.write("m.bin.gitmlog", "version = 1\n<<<<<<< ours\n")
    assert verify(box, code=5)["unreadable"]
    assert "m.bin.gitmlog" in box.here("verify").out


def test_what_cannot_be(box: Sandbox) -> None:
    box.fails("verify", "nope", code=3, kind="not-tracked")
    box.fails("verify", "--remote", "--from", "nope", code=3, kind="no-remote")
    assert box.here("verify", "--all", "m.bin").code == 2
