"""`gitmlog cat` and `gitmlog get`: the bytes of any revision, of this repository or another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitmlog.core.digest import hash_bytes
from tests.conftest import Sandbox


@pytest.fixture
def box(sandbox: Sandbox, tmp_path: Path) -> Sandbox:
    """Two versions on main, a tag, a branch of its own, a remote; committed remote only after the first version."""
    sandbox.write("README", "hello\n")
    sandbox.write("m.bin", b"version 1")
    sandbox.write("data/a/x", b"xxxx")
    sandbox.write("data/run", b"#!/bin/sh\n").chmod(0o755)
    (sandbox.root / "data/l").symlink_to("a/x")
    assert sandbox.here("add", "m.bin", "data").code == 0
    sandbox.commit()
    sandbox.git("tag", "v1")
    assert sandbox.here("remote", "add", "origin", str(tmp_path / "store")).code == 0
    sandbox.git("checkout", "-q", "-b", "side")
    sandbox.write("m.bin", b"version side")
    assert sandbox.here("add", "m.bin").code == 0
    sandbox.commit()
    assert sandbox.here("push", "--all").code == 0
    sandbox.git("checkout", "-q", "main")
    sandbox.write("m.bin", b"version 2")
    assert sandbox.here("add", "m.bin").code == 0
    sandbox.commit()
    assert sandbox.here("push", "--all").code == 0
    return sandbox


def cat(box: Sandbox, spec: str, cwd: Path | None = None) -> str:
    done = box.gitmlog("cat", spec, cwd=cwd)
    assert done.code == 0, done
    return done.out


def empty_cache(box: Sandbox) -> None:
    for path in (box.root / ".git/gitmlog/cache/objects").rglob("*"):
        if path.is_file():
            path.unlink()


def test_cat(box: Sandbox) -> None:
    box.write("m.bin", b"edited since")
    assert cat(box, "m.bin") == "version 2", "what the metafile says, not an edited file"
    for spec, text in {
        "v1:m.bin": "version 1",
        "side:m.bin": "version side",
        "HEAD@{0}:m.bin": "version 2",
        "HEAD:data/a/x": "xxxx",
        "HEAD:data/l": "a/x",
        "HEAD:README": "hello\n",
        "README": "hello\n",
    }.items():
        assert cat(box, spec) == text
    assert cat(box, "HEAD:m.bin.gitmlog").startswith("version = 1")
    assert cat(box, "x", cwd=box.root / "data/a") == "xxxx"
    assert cat(box, "HEAD:./x", cwd=box.root / "data/a") == "xxxx"


def test_cat_fetches(box: Sandbox) -> None:
    empty_cache(box)
    assert cat(box, "v1:m.bin") == "version 1"
    assert cat(box, "HEAD:data/a/x") == "xxxx"


def test_cat_of_damage_is_exit_5(box: Sandbox) -> None:
    oid = hash_bytes(b"version 2")
    path = box.root / ".git/gitmlog/cache/objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(b"version X")
    done = box.gitmlog("cat", "m.bin")
    assert (done.code, done.out) == (5, "version X")
    assert "damaged" in done.err
    assert cat(box, "m.bin") == "version 2", "the remote has a whole one"


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ("HEAD:nope", 3),
        ("nope:m.bin", 3),
        ("nope", 3),
        ("HEAD:data", 2),
        ("data", 2),
        (":m.bin", 2),
        ("HEAD:../x", 6),
        ("HEAD:m.bin/x", 3),
        ("HEAD:", 2),
        ("/etc/passwd", 6),
    ],
)
def test_cat_of_nothing(box: Sandbox, spec: str, code: int) -> None:
    done = box.gitmlog("cat", spec)
    assert done.code == code, done
    assert "Traceback" not in done.err
    assert done.out == ""


def test_cat_without_any_copy(box: Sandbox) -> None:
    empty_cache(box)
    assert box.here("remote", "remove", "origin").code == 0
    done = box.gitmlog("cat", "m.bin")
    assert done.code == 5
    assert "no remote" in done.err


@pytest.fixture(params=["folder", "bare", "url"])
def other(request: pytest.FixtureRequest, box: Sandbox, tmp_path: Path) -> str:
    """The repository as a folder, as a bare one, and as a URL that serves partial clones."""
    if request.param == "folder":
        return str(box.root)
    box.git("clone", "-q", "--bare", str(box.root), str(tmp_path / "bare.git"))
    box.git("config", "uploadpack.allowFilter", "true", cwd=tmp_path / "bare.git")
    return str(tmp_path / "bare.git") if request.param == "bare" else f"file://{tmp_path}/bare.git"


@pytest.fixture
def away(tmp_path: Path) -> Sandbox:
    """A folder in no repository."""
    (tmp_path / "away").mkdir()
    return Sandbox(tmp_path / "away")


def test_get(other: str, away: Sandbox) -> None:
    assert away.here("get", other, "m.bin").code == 0
    assert (away.root / "m.bin").read_bytes() == b"version 2"
    for revision, text in {"v1": b"version 1", "side": b"version side", "HEAD": b"version 2"}.items():
        done = away.here("get", other, "m.bin", "--rev", revision, "-o", "out.bin", "--force", "--json")
        assert done.code == 0, done
        assert (away.root / "out.bin").read_bytes() == text
        assert json.loads(done.out)["files"] == 1
    assert away.here("get", other, "README").code == 0
    assert (away.root / "README").read_text() == "hello\n"
    assert sorted(path.name for path in away.root.iterdir()) == ["README", "m.bin", "out.bin"], "nothing is left over"


def test_get_directories_and_parts(other: str, away: Sandbox) -> None:
    assert away.here("get", other, "data").code == 0
    assert (away.root / "data/a/x").read_bytes() == b"xxxx"
    assert (away.root / "data/run").stat().st_mode & 0o111
    assert (away.root / "data/l").readlink() == Path("a/x")
    assert away.here("get", other, "data/a", "-o", "part").code == 0
    assert (away.root / "part/x").read_bytes() == b"xxxx"
    assert away.here("get", other, "data/a/x", "-o", "part").code == 6, "into that folder, where it is"
    assert away.here("get", other, "data/run", "-o", "part").code == 0
    assert (away.root / "part/run").stat().st_mode & 0o111


def test_get_by_commit_id(other: str, away: Sandbox, box: Sandbox) -> None:
    commit = box.git("rev-parse", "side").strip()
    assert away.here("get", other, "m.bin", "--rev", commit[:10]).code == 0
    assert (away.root / "m.bin").read_bytes() == b"version side"


def test_get_fetches_into_a_temporary_cache(box: Sandbox, away: Sandbox) -> None:
    empty_cache(box)
    assert away.here("get", str(box.root), "data").code == 0
    assert not [path for path in (box.root / ".git/gitmlog/cache/objects").rglob("*") if path.is_file()]


def test_get_overwrites_nothing(box: Sandbox, away: Sandbox) -> None:
    away.write("m.bin", "mine")
    away.write("data/mine", "mine")
    away.fails("get", str(box.root), "m.bin", code=6, kind="exists")
    away.fails("get", str(box.root), "data", code=6, kind="exists")
    assert (away.root / "m.bin").read_text() == "mine"
    assert away.here("get", str(box.root), "data", "-o", "data").code == 0, "into the folder that is there"
    assert (away.root / "data/mine").read_text() == "mine"
    assert (away.root / "data/data/a/x").exists()
    assert away.here("get", str(box.root), "data", "-o", "data").code == 6
    assert away.here("get", str(box.root), "data", "-o", "data", "--force").code == 0


def test_get_of_damage_writes_nothing(box: Sandbox, away: Sandbox, tmp_path: Path) -> None:
    oid = hash_bytes(b"version 2")
    for folder in (box.root / ".git/gitmlog/cache", tmp_path / "store"):
        path = folder / "objects" / oid[:2] / oid[2:]
        path.chmod(0o644)
        path.write_bytes(b"version X")
    away.fails("get", str(box.root), "m.bin", code=5, kind="corrupt")
    assert list(away.root.iterdir()) == []


@pytest.mark.parametrize(
    ("repo", "path", "code", "kind"),
    [
        ("ext::sh -c 'touch pwned'", "m.bin", 2, "bad-url"),
        ("fd::3", "m.bin", 2, "bad-url"),
        ("nowhere", "m.bin", 3, "no-repository"),
        ("REPO", "nope", 3, "no-path"),
        ("REPO", "data/nope", 3, "no-path"),
        ("REPO", "../secret", 2, "bad-path"),
        ("REPO", "/etc/passwd", 2, "bad-path"),
    ],
)
def test_get_of_nothing(box: Sandbox, away: Sandbox, repo: str, path: str, code: int, kind: str) -> None:
    error = away.fails("get", repo.replace("REPO", str(box.root)), path, code=code, kind=kind)
    assert error["message"]
    assert list(away.root.iterdir()) == []


def test_get_refuses_options_and_hides_passwords(away: Sandbox, box: Sandbox) -> None:
    done = away.here("get", "--", "--upload-pack=touch pwned", "m.bin")
    assert done.code == 2
    done = away.here("get", "https://ada:hunter2@127.0.0.1:1/x.git", "m.bin")
    assert done.code == 3
    assert "hunter2" not in done.err
    away.fails("get", str(box.root), "m.bin", "--rev", "--upload-pack=x", code=3, kind="no-revision")
    assert list(away.root.iterdir()) == []
