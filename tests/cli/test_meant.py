"""What a wrong word is answered with: the help, or what was likely meant."""

from __future__ import annotations

import pytest

from tests.conftest import Sandbox


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    sandbox.write("model.pt", "model")
    sandbox.write("data/a", "a")
    assert sandbox.here("add", "model.pt", "data").code == 0
    sandbox.commit()
    sandbox.git("commit", "-q", "--allow-empty", "-m", "2")
    assert sandbox.here("remote", "add", "origin", "../store").code == 0
    return sandbox


def test_bare_is_help(sandbox: Sandbox) -> None:
    done = sandbox.gitmlog()
    assert done.code == 2
    assert done.out.startswith("Usage: gitmlog") and "error:" not in done.out + done.err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("pull", "origin"), "--remote origin"),
        (("push", "origin"), "--remote origin"),
        (("checkout", "HEAD~1", "model.pt"), "--rev HEAD~1"),
        (("checkout", "modle.pt"), "did you mean model.pt?"),
        (("mv", "modle.pt", "x"), "did you mean model.pt?"),
        (("rm", "quite-something-else"), "no such file"),
    ],
)
def test_not_tracked(box: Sandbox, arguments: tuple[str, ...], hint: str) -> None:
    error = box.fails(*arguments, code=3, kind="not-tracked")
    assert hint in error["hint"]
    assert "gitmlog add" not in error["hint"]


def test_not_tracked_but_there(box: Sandbox) -> None:
    box.write("new.pt", "new")
    assert "gitmlog add new.pt" in box.fails("checkout", "new.pt", code=3, kind="not-tracked")["hint"]


def test_mv_into_a_folder_that_is_not_there(box: Sandbox) -> None:
    assert "mkdir -p sub/" in box.fails("mv", "model.pt", "sub/", code=3, kind="no-path")["hint"]
    assert (box.root / "model.pt.gitmlog").exists() and not (box.root / "sub").exists()
    (box.root / "sub").mkdir()
    assert box.here("mv", "model.pt", "sub/").code == 0
    assert (box.root / "sub/model.pt.gitmlog").exists()
