"""`gitmlog doctor`: each check in a repository that has just that wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Sandbox


def doctor(box: Sandbox, *arguments: str, code: int = 0) -> dict[str, tuple[str, str]]:
    """What is not ok: name -> verdict, hint."""
    done = box.here("doctor", *arguments, "--json")
    assert done.code == code, done
    return {check["name"]: (check["verdict"], check["hint"]) for check in json.loads(done.out) if check["verdict"] != "ok"}


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    sandbox.write("m.bin", b"1")
    assert sandbox.here("add", "m.bin").code == 0
    sandbox.commit()
    return sandbox


def test_all_is_well(box: Sandbox) -> None:
    before = sorted(map(str, box.root.rglob("*")))
    assert doctor(box).keys() <= {"space"}
    assert sorted(map(str, box.root.rglob("*"))) == before
    assert "ok       cache" in box.here("doctor").out


def test_outside_a_repository(tmp_path: Path) -> None:
    assert doctor(Sandbox(tmp_path))["repository"][0] == "warning"


def test_a_bare_repository(tmp_path: Path, box: Sandbox) -> None:
    box.git("clone", "-q", "--bare", str(box.root), str(tmp_path / "bare.git"))
    assert doctor(Sandbox(tmp_path / "bare.git"), code=1)["repository"][0] == "problem"


def test_no_git(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert doctor(box, code=1)["git"][0] == "problem"


def test_what_others_left(box: Sandbox) -> None:
    box.write(".git/index.lock", "")
    box.write(".git/MERGE_HEAD", box.git("rev-parse", "HEAD"))
    box.write(".git/gitmlog/cache/quarantine/" + "0" * 64, "bad")
    found = doctor(box)
    assert {name: verdict for name, (verdict, _) in found.items() if name != "space"} == {
        "index-lock": "warning",
        "repository": "warning",
        "quarantine": "warning",
    }
    assert all(hint for _, hint in found.values())


def test_bad_files(box: Sandbox) -> None:
    box.write("m.bin.gitmlog", "version = 1\n")
    box.write(".git/gitmlog/config.toml", "nonsense = 1\n")
    found = doctor(box, code=1)
    assert {found["metafiles"][0], found["config"][0]} == {"problem"}


def test_gitignore(box: Sandbox) -> None:
    box.write(".gitignore", "")
    assert doctor(box, code=1)["gitignore"] == ("problem", "gitmlog add m.bin")
    box.write(".gitignore", "/m.bin\n*.gitmlog\n")
    box.git("rm", "-q", "--cached", "m.bin.gitmlog")
    assert doctor(box)["gitignore"][0] == "warning"


def test_git_has_the_file_too(box: Sandbox) -> None:
    box.git("add", "-f", "m.bin")
    assert doctor(box, code=1)["gitignore"][0] == "problem"


def test_remotes(box: Sandbox, tmp_path: Path) -> None:
    assert box.here("remote", "add", "origin", str(tmp_path / "no/such/store")).code == 0
    assert "remote origin" not in doctor(box), "without --remote nothing is asked"
    assert doctor(box, "--remote", code=1)["remote origin"][0] == "problem"
    (tmp_path / "no/such").mkdir(parents=True)
    assert "remote origin" not in doctor(box, "--remote")
    box.write(".gitmlog/config.toml", 'version = 1\n[remote.origin]\nurl = "s3://evil"\n')
    assert "trust" in doctor(box, code=1)["remote origin"][1]


def test_a_damaged_state(box: Sandbox) -> None:
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        (box.root / ".git/gitmlog" / name).unlink(missing_ok=True)
    box.write(".git/gitmlog/state.db", b"not a database" * 100)
    assert doctor(box)["state"][0] == "warning"
