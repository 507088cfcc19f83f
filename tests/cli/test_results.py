"""What the commands that read say at the end, also when they are told to be quiet."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gitmlog.core.digest import hash_bytes
from tests.conftest import Sandbox


@pytest.fixture
def box(sandbox: Sandbox, tmp_path: Path) -> Sandbox:
    sandbox.write("m", "model")
    assert sandbox.here("add", "m").code == 0
    sandbox.commit()
    assert sandbox.here("remote", "add", "origin", str(tmp_path / "store")).code == 0
    assert sandbox.here("push").code == 0
    return sandbox


def last(text: str) -> str:
    return text.splitlines()[-1]


def test_verify_in_a_fresh_clone(box: Sandbox, tmp_path: Path) -> None:
    box.git("clone", "-q", str(box.root), str(tmp_path / "clone"))
    done = Sandbox(tmp_path / "clone").here("verify")
    assert (done.code, last(done.out)) == (5, "the cache is empty, 1 object is needed: gitmlog pull")


def test_verify_finds_damage_on_the_remote(box: Sandbox, tmp_path: Path) -> None:
    oid = hash_bytes(b"model")
    path = tmp_path / "store/objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(b"MODEL")
    done = box.here("verify", "--remote")
    assert (done.code, last(done.out)) == (5, "1 object damaged or missing: gitmlog verify --remote --repair")
    assert box.here("verify", "--remote", "--repair").code == 0


def test_gc_says_what_it_did(box: Sandbox) -> None:
    assert last(box.here("gc").out) == "nothing to remove"
    assert last(box.here("gc", "--prune").out) == "nothing was removed"
    box.write("n", "never pushed")
    assert box.here("add", "n").code == 0
    assert box.here("rm", "n").code == 0
    box.git("reset", "-q", "--hard")
    out = box.here("gc").out
    assert "kept, since no remote holds it (--unpushed gives it up for good): 1 object" in out
    assert "push --all" not in out and last(out) == "nothing to remove"
    assert "would be moved to the trash: 1 object" in box.here("gc", "--unpushed").out
    out = box.here("gc", "--prune", "--unpushed").out
    assert "\nmoved to the trash: 1 object" in out and "would" not in out


@pytest.mark.parametrize(
    "command", [("remote", "list"), ("remote",), ("config",), ("gc",), ("verify",), ("config", "core.remote")]
)
def test_quiet_commands_print_what_was_asked_for(box: Sandbox, command: tuple[str, ...]) -> None:
    assert box.here("remote", "default", "origin").code == 0
    assert box.here("-q", *command).out == box.here(*command).out != ""


def test_no_connection_is_left_open(box: Sandbox) -> None:
    """Newer versions of Python say so."""
    done = box.run(sys.executable, "-X", "dev", "-W", "error", "-m", "gitmlog", "status")
    assert (done.code, "ResourceWarning" in done.err) == (0, False), done
