"""Commands in the wrong place: no repository, a bare one, submodules, worktrees, paths outside, links."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Sandbox

COMMANDS = [["init"], ["add", "m"], ["status"], ["checkout"], ["push"], ["pull"], ["fetch"], ["rm", "m"], ["mv", "m", "n"]]


def index_of(sandbox: Sandbox) -> str:
    return sandbox.git("ls-files", "--stage")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_repository(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "m").write_text("mine")
    error = Sandbox(tmp_path).fails(*command, code=3, kind="no-repository")
    assert "git init" in error["hint"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m"]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_bare_repository(tmp_path: Path, command: list[str]) -> None:
    Sandbox(tmp_path).git("init", "-q", "--bare", "bare.git")
    before = sorted(tmp_path.rglob("*"))
    assert "clone" in Sandbox(tmp_path / "bare.git").fails(*command, code=1, kind="bare-repository")["hint"]
    assert sorted(tmp_path.rglob("*")) == before


def test_inside_the_git_folder(sandbox: Sandbox) -> None:
    before = sorted((sandbox.root / ".git").iterdir())
    done = sandbox.here("add", "config", cwd=sandbox.root / ".git")
    assert done.code in (1, 3, 6), done
    assert "Traceback" not in done.err
    assert sorted((sandbox.root / ".git").iterdir()) == before


def test_no_commit_yet(sandbox: Sandbox) -> None:
    sandbox.write("m", "mine")
    assert sandbox.here("status").code == 0
    assert sandbox.here("add", "m").code == 0
    assert sandbox.here("status").code == 0
    sandbox.fails("checkout", "--rev", "HEAD", "m", code=3, kind="no-commit")
    sandbox.fails("checkout", "--rev", "nonsense", "m", code=3, kind="no-revision")
    assert sandbox.here("mv", "m", "n").code == 0
    assert sandbox.here("rm", "n").code == 0


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", ".git/config", ".git", ".", "", "sub/../../outside"])
def test_outside(sandbox: Sandbox, path: str) -> None:
    (sandbox.root.parent / "outside").write_text("not yours")
    (sandbox.root / "sub").mkdir()
    if path:
        sandbox.fails("add", path, code=6, kind="outside-repository")
    else:
        sandbox.fails("add", path, code=2, kind="empty-path")
    assert index_of(sandbox) == ""
    assert not (sandbox.root.parent / "outside.gitmlog").exists()


@pytest.mark.parametrize("command", [["add", "nothing"], ["add", "no/such/path"], ["add", "no*such"], ["rm", "nothing"]])
def test_path_that_is_not_there(sandbox: Sandbox, command: list[str]) -> None:
    sandbox.fails(*command, code=3, kind="no-path" if command[0] == "add" else "not-tracked")


class TestSubmodule:
    @pytest.fixture
    def outer(self, make_sandbox: Callable[[str], Sandbox]) -> Sandbox:
        library = make_sandbox("library")
        library.write("readme", "library")
        library.commit()
        outer = make_sandbox("outer")
        outer.git("submodule", "--quiet", "add", str(library.root), "sub")
        outer.commit()
        (outer.root / "sub/m.bin").write_bytes(b"model")
        return outer

    @pytest.mark.parametrize("path", ["sub", "sub/m.bin", "sub/new"])
    def test_from_outside(self, outer: Sandbox, path: str) -> None:
        (outer.root / "sub/new").mkdir()
        (outer.root / "sub/new/file").write_text("x")
        before = index_of(outer)
        assert "cd sub" in outer.fails("add", path, code=6, kind="submodule")["hint"]
        assert index_of(outer) == before
        assert outer.git("status", "--porcelain").split() == ["?", "sub"] or "gitmlog" not in outer.git("status", "--porcelain")

    def test_from_inside(self, outer: Sandbox) -> None:
        inner = Sandbox(outer.root / "sub")
        assert inner.here("add", "m.bin").code == 0
        assert "m.bin.gitmlog" in index_of(inner)
        assert (outer.root / ".git/modules/sub/gitmlog/cache/objects").is_dir()
        (inner.root / "m.bin").unlink()
        assert inner.here("checkout").code == 0
        assert (inner.root / "m.bin").read_bytes() == b"model"

    def test_folder_that_holds_one(self, outer: Sandbox) -> None:
        outer.git("mv", "sub", "folder-sub")
        (outer.root / "data").mkdir()
        outer.git("mv", "folder-sub", "data/sub")
        outer.write("data/a", "a")
        outer.fails("add", "data", code=6, kind="submodule")

    def test_folder_that_holds_another_repository(self, sandbox: Sandbox) -> None:
        sandbox.write("data/a", "a")
        sandbox.git("init", "-q", "data/nested")
        sandbox.write("data/nested/b", "b")
        for path in ("data", "data/nested", "data/nested/b"):
            sandbox.fails("add", path, code=6, kind="nested-repository")
        assert index_of(sandbox) == ""


def test_linked_worktrees_share_the_cache(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.write("m.bin", "model")
    assert sandbox.here("add", "m.bin").code == 0
    sandbox.commit()
    sandbox.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Sandbox(tmp_path / "linked")
    assert linked.here("checkout").code == 0
    assert (linked.root / "m.bin").read_text() == "model"
    linked.write("m.bin", "second")
    assert linked.here("add", "m.bin").code == 0
    assert "m.bin" not in sandbox.git("status", "--porcelain")
    assert (sandbox.root / "m.bin").read_text() == "model"
    linked.git("commit", "-q", "-m", "second")
    sandbox.git("merge", "-q", linked.git("rev-parse", "HEAD").strip())
    assert sandbox.here("checkout").code == 0
    assert (sandbox.root / "m.bin").read_text() == "second"


class TestLinks:
    @pytest.mark.parametrize(
        ("target", "kind"),
        [("real.bin", "not-a-file"), ("/etc/passwd", "link-outside"), ("../other", "link-outside"), ("gone", "not-a-file")],
    )
    def test_a_link_itself(self, sandbox: Sandbox, target: str, kind: str) -> None:
        sandbox.write("real.bin", "real")
        (sandbox.root / "link").symlink_to(target)
        sandbox.fails("add", "link", code=6, kind=kind)
        assert os.readlink(sandbox.root / "link") == target
        assert index_of(sandbox) == ""

    def test_the_hint_for_a_link_works(self, sandbox: Sandbox) -> None:
        (sandbox.root.parent / "big file").write_text("outside")
        (sandbox.root / "my link").symlink_to("../big file")
        hint = sandbox.fails("add", "my link", code=6, kind="link-outside")["hint"]
        sandbox.run("sh", "-c", hint.split(": ", 1)[1], check=True)
        assert sandbox.here("add", "my link").code == 0
        assert (sandbox.root / "my link").read_text() == "outside"

    def test_kept_inside_a_directory(self, sandbox: Sandbox) -> None:
        sandbox.write("data/sub/a", "a")
        (sandbox.root / "data/link").symlink_to("sub/a")
        (sandbox.root / "data/folder").symlink_to("sub")
        (sandbox.root / "data/sub/up").symlink_to("../sub/a")
        (sandbox.root / "data/dangling").symlink_to("nothing")
        assert sandbox.here("add", "data").code == 0
        sandbox.run("rm", "-r", "data", check=True)
        assert sandbox.here("checkout").code == 0
        links = {name: os.readlink(sandbox.root / "data" / name) for name in ("link", "folder", "sub/up", "dangling")}
        assert links == {"link": "sub/a", "folder": "sub", "sub/up": "../sub/a", "dangling": "nothing"}
        assert sandbox.here("status", "--exit-code").code in (0, 2)

    @pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "../../outside", "sub/../../outside"])
    def test_refused_inside_a_directory_when_it_leads_out(self, sandbox: Sandbox, target: str) -> None:
        sandbox.write("data/sub/a", "a")
        (sandbox.root / "data/link").symlink_to(target)
        sandbox.fails("add", "data", code=6, kind="link-outside")
        assert index_of(sandbox) == ""
        assert not (sandbox.root / "data.gitmlog").exists()

    def test_parent_folder_is_a_link_that_leads_inside(self, sandbox: Sandbox) -> None:
        sandbox.write("real/m.bin", "model")
        (sandbox.root / "alias").symlink_to("real")
        assert sandbox.here("add", "alias/m.bin").code == 0
        assert "real/m.bin.gitmlog" in index_of(sandbox)

    def test_parent_folder_is_a_link_that_leads_outside(self, sandbox: Sandbox, tmp_path: Path) -> None:
        outside = tmp_path / "elsewhere"
        outside.mkdir()
        (outside / "m.bin").write_text("model")
        (sandbox.root / "alias").symlink_to(outside)
        sandbox.fails("add", "alias/m.bin", code=6, kind="outside-repository")
        assert [path.name for path in outside.iterdir()] == ["m.bin"]

    def test_working_tree_reached_through_a_link(self, sandbox: Sandbox, tmp_path: Path) -> None:
        sandbox.write("sub/m.bin", "model")
        (tmp_path / "alias").symlink_to(sandbox.root)
        alias = tmp_path / "alias"
        assert sandbox.here("add", "m.bin", cwd=alias / "sub").code == 0
        assert sandbox.here("add", str(alias / "sub/m.bin"), cwd=tmp_path / "alias").code == 0
        assert "sub/m.bin.gitmlog" in index_of(sandbox)


class TestTrackedByGit:
    @pytest.mark.parametrize("name", ["m.bin", "my model.bin", "it's.bin", "a$HOME.bin", "a;b.bin", "modèle.bin", "[x]*.bin"])
    def test_the_command_offered_works(self, sandbox: Sandbox, name: str) -> None:
        sandbox.write(name, "model")
        sandbox.commit()
        hint = sandbox.fails("add", name, code=6, kind="tracked-by-git")["hint"]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        sandbox.run("sh", "-c", hint, check=True, env={"PATH": path})
        assert sandbox.git("ls-files", "-z").split("\0")[:-1] == sorted([".gitignore", f"{name}.gitmlog"])
        assert (sandbox.root / name).read_text() == "model"

    def test_a_directory_with_files_that_git_tracks(self, sandbox: Sandbox) -> None:
        sandbox.write("data/a", "a")
        sandbox.write("data/b", "b")
        sandbox.commit()
        hint = sandbox.fails("add", "data", code=6, kind="tracked-by-git")["hint"]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        sandbox.run("sh", "-c", hint, check=True, env={"PATH": path})
        assert (sandbox.root / "data/a").read_text() == "a"

    def test_metafile_that_git_would_ignore(self, sandbox: Sandbox) -> None:
        sandbox.write(".gitignore", "*.gitmlog\n")
        sandbox.write("m.bin", "model")
        sandbox.fails("add", "m.bin", code=6, kind="metafile-ignored")
        assert not (sandbox.root / "m.bin.gitmlog").exists()
