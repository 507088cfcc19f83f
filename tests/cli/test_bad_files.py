"""Files and names that are hard to keep: each is kept exactly, or refused with nothing changed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Done, Sandbox

UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"] if os.geteuid() == 0 else []
"""Root may read and write everything; without these capabilities permissions bite as they do for everybody else."""


def unprivileged(sandbox: Sandbox, *arguments: str) -> Done:
    if UNPRIVILEGED and shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not installed, and root may read everything")
    return sandbox.run(*UNPRIVILEGED, sys.executable, "-m", "gitmlog", *arguments)


def error_of(done: Done) -> dict[str, str]:
    error: dict[str, str] = json.loads(done.err.splitlines()[-1])["error"]
    assert error["hint"], error
    return error


def nothing_tracked(sandbox: Sandbox) -> bool:
    return sandbox.git("ls-files") == "" and not list(sandbox.root.glob("**/*.gitmlog"))


class TestKinds:
    @pytest.mark.parametrize("path", ["fifo", "data"])
    def test_fifo(self, sandbox: Sandbox, path: str) -> None:
        sandbox.write("data/a", "a")
        os.mkfifo(sandbox.root / "fifo")
        os.mkfifo(sandbox.root / "data/fifo")
        assert "FIFO" in sandbox.fails("add", path, code=6, kind="not-a-file")["message"]
        assert nothing_tracked(sandbox)

    @pytest.mark.parametrize("path", ["socket", "data"])
    def test_socket(self, sandbox: Sandbox, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        sandbox.write("data/a", "a")
        monkeypatch.chdir(sandbox.root)
        with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
            one.bind("socket")
            two.bind("data/socket")
        assert "socket" in sandbox.fails("add", path, code=6, kind="not-a-file")["message"]
        assert nothing_tracked(sandbox)

    def test_unreadable_file(self, sandbox: Sandbox) -> None:
        sandbox.write("secret", "secret").chmod(0)
        error = error_of(unprivileged(sandbox, "add", "secret", "--json"))
        assert (error["kind"], error["exit_code"]) == ("unreadable", 3)
        assert "chmod u+r secret" in error["hint"]
        assert nothing_tracked(sandbox)

    def test_unreadable_file_in_a_directory(self, sandbox: Sandbox) -> None:
        sandbox.write("data/a", "a")
        sandbox.write("data/secret", "secret").chmod(0)
        error = error_of(unprivileged(sandbox, "add", "data", "--json"))
        assert (error["kind"], error["exit_code"]) == ("unreadable", 3)
        assert nothing_tracked(sandbox)

    def test_unreadable_folder(self, sandbox: Sandbox) -> None:
        sandbox.write("data/a", "a")
        sandbox.write("data/closed/b", "b")
        (sandbox.root / "data/closed").chmod(0)
        done = unprivileged(sandbox, "add", "data", "--json")
        (sandbox.root / "data/closed").chmod(0o755)
        error = error_of(done)
        assert (error["kind"], error["exit_code"]) == ("unreadable", 3)
        assert "data/closed" in error["message"]
        assert nothing_tracked(sandbox)

    def test_read_only_file_is_kept_as_it_is(self, sandbox: Sandbox) -> None:
        sandbox.write("m", "model").chmod(0o444)
        assert unprivileged(sandbox, "add", "m").code == 0
        assert (sandbox.root / "m").stat().st_mode & 0o777 == 0o444

    def test_executable_bit(self, sandbox: Sandbox) -> None:
        sandbox.write("tool", "#!/bin/sh\n").chmod(0o755)
        sandbox.write("data/tool", "#!/bin/sh\n").chmod(0o755)
        sandbox.write("data/plain", "#!/bin/sh\n")
        assert sandbox.here("add", "tool", "data").code == 0
        shutil.rmtree(sandbox.root / "data")
        (sandbox.root / "tool").unlink()
        assert sandbox.here("checkout").code == 0
        modes = [(sandbox.root / name).stat().st_mode & 0o111 for name in ("tool", "data/tool", "data/plain")]
        assert modes == [0o111, 0o111, 0]


class TestChanging:
    @pytest.fixture
    def writer(self, sandbox: Sandbox) -> Iterator[None]:
        """Somebody who writes to `log` as fast as he can, and has begun."""
        sandbox.write("log", bytes(24 << 20))
        code = "f = open('log', 'r+b', buffering=0)\nprint(flush=True)\nwhile True: f.seek(0); f.write(b'x')"
        with subprocess.Popen([sys.executable, "-c", code], cwd=sandbox.root, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            yield
            process.kill()

    @pytest.mark.usefixtures("writer")
    def test_file_that_is_being_written(self, sandbox: Sandbox) -> None:
        sandbox.fails("add", "log", code=5, kind="changed-while-read")
        assert nothing_tracked(sandbox)
        assert list((sandbox.root / ".git/gitmlog/cache/objects").glob("*/*")) == []

    @pytest.mark.parametrize("size", [10, 5 << 20])
    def test_file_that_changes_at_the_last_moment(self, sandbox: Sandbox, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Same size, same modification time: the change time gives it away."""
        from gitmlog.store import ingest

        file = sandbox.write("m", b"a" * size)
        before = file.stat()

        def hashed(name: str) -> None:
            original = getattr(ingest, name)

            def slow(*arguments: object) -> object:
                result = original(*arguments)
                file.write_bytes(b"b" * size)
                os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
                return result

            monkeypatch.setattr(ingest, name, slow)

        hashed("_copy_small" if size < ingest.SMALL else "_copy_large")
        sandbox.fails("add", "m", code=5, kind="changed-while-read")
        assert nothing_tracked(sandbox)

    def test_rewritten_within_the_clocks_step(self, sandbox: Sandbox) -> None:
        """Same size, at once after add, with the old modification time: still seen."""
        file = sandbox.write("m", "aaaa")
        before = file.stat()
        assert sandbox.here("add", "m").code == 0
        with open(file, "r+b") as stream:
            stream.write(b"bbbb")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert "modified" in sandbox.here("status").out
        assert sandbox.here("add", "m").code == 0
        file.unlink()
        assert sandbox.here("checkout").code == 0
        assert file.read_text() == "bbbb"


GOOD_NAMES = [
    *("with space", "trailing ", " leading", "it's", 'quo"te', "a$HOME", "a;b&c|d", "#hash", "!bang", "[x]*?", "~tilde", "%41"),
    *("modèle", "模型", "e\u0301", "é", "🤗", "a.gitignore", "..two", "CON", "x" * 247, "é" * 123),
]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_name_that_is_kept(sandbox: Sandbox, name: str) -> None:
    """Alone and inside a directory: added, ignored by git, taken out again, moved, removed."""
    alone, inside = sandbox.write(f"folder/{name}", "alone"), sandbox.write(f"data/{name}", "inside")
    given = f"folder/{name}"
    assert sandbox.here("add", given, "data").code == 0
    assert "?? " not in sandbox.git("status", "--porcelain", "--untracked-files=all")
    assert name.encode() + b".gitmlog" in sandbox.git("ls-files", "-z").encode()
    alone.unlink()
    inside.unlink()
    assert sandbox.here("checkout").code == 0
    assert (alone.read_text(), inside.read_text()) == ("alone", "inside")
    assert sandbox.here("mv", given, "moved").code == 0
    assert (sandbox.root / "moved").read_text() == "alone"
    assert sandbox.here("mv", "moved", given).code == 0
    assert sandbox.here("rm", given).code == 0
    assert not alone.exists()


BAD_NAMES = {
    "newline": b"a\nb",
    "tab": b"a\tb",
    "escape": b"a\x1b[2Jb",
    "delete": b"a\x7fb",
    "not-utf8": b"caf\xe9",
    "backslash": b"a\\b",
    "bidi": "a\u202egpj.exe".encode(),
    "line-separator": "a\u2028b".encode(),
    "dot-git": b".GIT",
    "dot-git-space": b".git ",
    "dot-git-ignorable": ".g\u200cit".encode(),
    "short-name": b"git~1",
}


@pytest.mark.parametrize("raw", BAD_NAMES.values(), ids=BAD_NAMES)
@pytest.mark.parametrize("where", ["", "data/"], ids=["alone", "inside"])
def test_name_that_is_refused(sandbox: Sandbox, raw: bytes, where: str) -> None:
    (sandbox.root / "data").mkdir()
    name = os.fsdecode(raw)
    file = sandbox.write(where + name, "mine")
    error = sandbox.fails("add", "data" if where else name, code=6, kind="bad-name")
    assert "rename" in error["hint"]
    assert all(character.isprintable() for character in error["message"])
    assert file.read_text() == "mine"
    assert nothing_tracked(sandbox)
    assert sandbox.here("status").code == 0


@pytest.mark.parametrize("name", ["x" * 248, "x" * 255, "é" * 124, "é" * 127], ids=["248", "255", "248-utf8", "254-utf8"])
def test_name_whose_metafile_could_have_none(sandbox: Sandbox, name: str) -> None:
    sandbox.write(name, "mine")
    assert "247 bytes" in sandbox.fails("add", name, code=6, kind="bad-name")["message"]
    sandbox.write(f"data/{name}", "mine")
    assert sandbox.here("add", "data").code == 0
    (sandbox.root / "data" / name).unlink()
    assert sandbox.here("checkout").code == 0
    assert (sandbox.root / "data" / name).read_text() == "mine"
    (sandbox.root / name).unlink()
    sandbox.fails("mv", "data", name, code=6, kind="bad-name")
    assert (sandbox.root / "data" / name).read_text() == "mine"


def test_name_that_begins_with_a_dash(sandbox: Sandbox) -> None:
    sandbox.write("-rf", "mine")
    sandbox.fails("add", "./-rf", code=6, kind="bad-name")
    sandbox.write("data/-rf", "mine")
    sandbox.fails("add", "data", code=6, kind="bad-name")
    (sandbox.root / "data/-rf").rename(sandbox.root / "data/a-rf")
    assert sandbox.here("add", "data").code == 0


def test_names_that_differ_only_in_case(sandbox: Sandbox) -> None:
    for name in ("data/a", "data/A", "data/Sub/x", "data/sub/x"):
        sandbox.write(name, name)
    done = sandbox.here("add", "data")
    assert done.code == 0
    assert "case" in done.err
    shutil.rmtree(sandbox.root / "data")
    assert sandbox.here("checkout").code == 0
    assert {str(path.relative_to(sandbox.root)) for path in (sandbox.root / "data").rglob("*") if path.is_file()} == {
        "data/a", "data/A", "data/Sub/x", "data/sub/x"
    }  # fmt: skip
    assert (sandbox.root / "data/A").read_text() == "data/A"


def test_two_spellings_of_one_name(sandbox: Sandbox) -> None:
    """Composed and decomposed: two files here, one on macOS."""
    for name in ("data/\u00e9", "data/e\u0301"):
        sandbox.write(name, name)
    assert sandbox.here("add", "data").code == 0
    shutil.rmtree(sandbox.root / "data")
    assert sandbox.here("checkout").code == 0
    assert len(list((sandbox.root / "data").iterdir())) == 2


class TestEmpty:
    def test_file(self, sandbox: Sandbox) -> None:
        file = sandbox.write("empty", "")
        assert sandbox.here("add", "empty").code == 0
        file.unlink()
        assert sandbox.here("checkout").code == 0
        assert file.read_bytes() == b""

    def test_directory(self, sandbox: Sandbox) -> None:
        (sandbox.root / "data").mkdir()
        assert sandbox.here("add", "data").code == 0
        assert "files = 0" in (sandbox.root / "data.gitmlog").read_text()
        (sandbox.root / "data").rmdir()
        assert sandbox.here("checkout").code == 0
        assert list((sandbox.root / "data").iterdir()) == []
        assert json.loads(sandbox.here("status", "--json").out)["paths"][0]["conditions"] == []

    def test_folders_in_a_directory(self, sandbox: Sandbox) -> None:
        sandbox.write("data/a", "a")
        (sandbox.root / "data/empty/below").mkdir(parents=True)
        done = sandbox.here("add", "data")
        assert done.code == 0
        assert "empty" in done.err
        assert sandbox.here("checkout").code == 0
        assert (sandbox.root / "data/empty/below").is_dir()

    def test_ten_thousand_empty_files(self, sandbox: Sandbox) -> None:
        (sandbox.root / "data").mkdir()
        for number in range(10_000):
            (sandbox.root / f"data/{number}").touch()
        assert sandbox.here("add", "data").code == 0
        assert len(list((sandbox.root / ".git/gitmlog/cache/objects").glob("*/*"))) == 2
        shutil.rmtree(sandbox.root / "data")
        assert sandbox.here("checkout").code == 0
        assert len(list((sandbox.root / "data").iterdir())) == 10_000


class TestDeep:
    def test_a_hundred_levels(self, sandbox: Sandbox) -> None:
        path = "data/" + "/".join(f"level-{number}" for number in range(100)) + "/file"
        sandbox.write(path, "deep")
        assert sandbox.here("add", "data").code == 0
        shutil.rmtree(sandbox.root / "data")
        assert sandbox.here("checkout").code == 0
        assert (sandbox.root / path).read_text() == "deep"

    def test_longer_than_a_path_may_be(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        sandbox.write("data/a", "a")
        monkeypatch.chdir(sandbox.root / "data")
        for _ in range(20):
            os.mkdir("x" * 250)
            os.chdir("x" * 250)
        Path("file").write_text("deep")
        monkeypatch.chdir(sandbox.root)
        error = sandbox.fails("add", "data", code=6, kind="bad-name")
        assert "too long" in error["message"] or "longer than" in error["message"]
        assert sandbox.git("ls-files") == ""
        assert not (sandbox.root / "data.gitmlog").exists()
        sandbox.run("rm", "-rf", "data", check=True)  # pytest cannot

    def test_many_long_folder_names(self, sandbox: Sandbox) -> None:
        path = "data/" + "/".join("x" * 255 for _ in range(10)) + "/file"
        sandbox.write(path, "deep")
        assert sandbox.here("add", "data").code == 0
        shutil.rmtree(sandbox.root / "data")
        assert sandbox.here("checkout").code == 0
        assert (sandbox.root / path).read_text() == "deep"


class TestReplaced:
    def test_file_by_directory(self, sandbox: Sandbox) -> None:
        file = sandbox.write("m", "file")
        assert sandbox.here("add", "m").code == 0
        sandbox.commit()
        file.unlink()
        sandbox.write("m/a", "directory")
        assert sandbox.here("add", "m").code == 0
        sandbox.commit()
        assert sandbox.here("checkout", "--rev", "HEAD~1", "m").code == 0
        assert file.read_text() == "file"
        assert sandbox.here("checkout", "--rev", "HEAD", "m").code == 0
        assert (sandbox.root / "m/a").read_text() == "directory"

    def test_directory_by_an_unsaved_file(self, sandbox: Sandbox) -> None:
        sandbox.write("m/a", "directory")
        assert sandbox.here("add", "m").code == 0
        shutil.rmtree(sandbox.root / "m")
        sandbox.write("m", "unsaved")
        sandbox.fails("checkout", code=6, kind="would-overwrite")
        assert (sandbox.root / "m").read_text() == "unsaved"
        assert sandbox.here("checkout", "--force").code == 0
        assert (sandbox.root / "m/a").read_text() == "directory"

    def test_file_by_a_directory_with_unsaved_files(self, sandbox: Sandbox) -> None:
        file = sandbox.write("m", "file")
        assert sandbox.here("add", "m").code == 0
        file.unlink()
        sandbox.write("m/deep/a", "unsaved")
        sandbox.fails("checkout", code=6, kind="would-overwrite")
        assert (sandbox.root / "m/deep/a").read_text() == "unsaved"
        assert sandbox.here("checkout", "--force").code == 0
        assert file.read_text() == "file"

    def test_folder_inside_by_an_unsaved_file_and_the_reverse(self, sandbox: Sandbox) -> None:
        sandbox.write("m/folder/a", "a")
        sandbox.write("m/file", "b")
        assert sandbox.here("add", "m").code == 0
        shutil.rmtree(sandbox.root / "m")
        sandbox.write("m/folder", "unsaved 1")
        sandbox.write("m/file/x", "unsaved 2")
        sandbox.fails("checkout", code=6, kind="would-overwrite")
        assert (sandbox.root / "m/folder").read_text() == "unsaved 1"
        assert (sandbox.root / "m/file/x").read_text() == "unsaved 2"
        assert sandbox.here("checkout", "--force").code == 0
        assert (sandbox.root / "m/folder/a").read_text() == "a"
        assert (sandbox.root / "m/file").read_text() == "b"

    def test_checkout_over_a_modified_file(self, sandbox: Sandbox) -> None:
        sandbox.write("m", "saved")
        sandbox.write("data/a", "saved")
        assert sandbox.here("add", "m", "data").code == 0
        sandbox.write("m", "mine")
        sandbox.write("data/a", "mine")
        sandbox.write("data/new", "mine")
        assert "m" in sandbox.fails("checkout", code=6, kind="would-overwrite")["message"]
        assert sandbox.here("rm", "m").code == 6
        assert [(sandbox.root / name).read_text() for name in ("m", "data/a", "data/new")] == ["mine"] * 3
        assert sandbox.here("checkout", "--force").code == 0
        assert [(sandbox.root / name).read_text() for name in ("m", "data/a")] == ["saved"] * 2

    def test_file_that_git_does_not_know_where_a_tracked_one_comes(self, sandbox: Sandbox) -> None:
        """A merge brings a metafile whose name a file of the user's already has."""
        sandbox.write("m", "theirs")
        assert sandbox.here("add", "m").code == 0
        sandbox.write("m", "mine, never added")
        sandbox.fails("checkout", "m", code=6, kind="would-overwrite")
        assert (sandbox.root / "m").read_text() == "mine, never added"

    def test_nested_metafile(self, sandbox: Sandbox) -> None:
        sandbox.write("data/m", "m")
        assert sandbox.here("add", "data/m").code == 0
        done = sandbox.here("add", "data", "--json")
        assert done.code == 6, done
        assert error_of(done)["kind"] in ("nested-metafile", "tracked-by-git")
        assert (sandbox.root / "data/m").read_text() == "m"
