"""Damaged objects, databases and settings, locks, folders that cannot be written: said clearly, and nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gitmlog.git import staging
from tests.conftest import Done, Sandbox

UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"] if os.geteuid() == 0 else []

SIZES = {"small": b"model" * 100, "large": bytes(range(256)) * 20_000}


def unprivileged(sandbox: Sandbox, *arguments: str) -> Done:
    """As everybody else: root without these capabilities is bound by permissions too."""
    if UNPRIVILEGED and shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not installed, and root may write everywhere")
    return sandbox.run(*UNPRIVILEGED, sys.executable, "-m", "gitmlog", *arguments)


def error_of(done: Done) -> tuple[int, str]:
    assert "Traceback" not in done.err, done
    error = json.loads(done.err.splitlines()[-1])["error"]
    assert error["message"]
    assert error["hint"], error
    return done.code, error["kind"]


def objects(sandbox: Sandbox) -> list[Path]:
    return sorted((sandbox.root / ".git/gitmlog/cache/objects").glob("??/*"))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def grow(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


DAMAGES: list[Callable[[Path], None]] = [flip, truncate, empty, grow]


@pytest.mark.parametrize("damage", DAMAGES)
class TestDamagedObject:
    @pytest.mark.parametrize("data", SIZES.values(), ids=SIZES)
    def test_checkout(self, sandbox: Sandbox, damage: Callable[[Path], None], data: bytes) -> None:
        file = sandbox.write("m", data)
        assert sandbox.here("add", "m").code == 0
        file.unlink()
        (stored,) = objects(sandbox)
        stored.chmod(0o644)
        damage(stored)
        sandbox.fails("checkout", code=5, kind="corrupt")
        assert not file.exists()
        assert not stored.exists()
        assert len(list((sandbox.root / ".git/gitmlog/cache/quarantine").iterdir())) == 1
        assert "pull" in sandbox.fails("checkout", code=5, kind="missing-data")["hint"]
        assert [path.name for path in sandbox.root.iterdir() if path.name.startswith(".gitmlog-")] == []
        file.write_bytes(data)
        assert sandbox.here("add", "m").code == 0
        file.unlink()
        assert sandbox.here("checkout").code == 0
        assert file.read_bytes() == data

    def test_checkout_leaves_the_old_file(self, sandbox: Sandbox, damage: Callable[[Path], None]) -> None:
        file = sandbox.write("m", b"first version")
        assert sandbox.here("add", "m").code == 0
        sandbox.commit()
        (stored,) = objects(sandbox)
        file.write_bytes(b"second")
        assert sandbox.here("add", "m").code == 0
        stored.chmod(0o644)
        damage(stored)
        sandbox.fails("checkout", "--rev", "HEAD", "m", code=5, kind="corrupt")
        assert file.read_bytes() == b"second"

    def test_tree(self, sandbox: Sandbox, damage: Callable[[Path], None]) -> None:
        sandbox.write("data/a", "a")
        assert sandbox.here("add", "data").code == 0
        (tree,) = [path for path in objects(sandbox) if path.read_bytes().startswith(b"gitmlog-tree")]
        tree.chmod(0o644)
        damage(tree)
        (sandbox.root / "data/a").unlink()
        sandbox.fails("checkout", code=5, kind="corrupt")
        assert list((sandbox.root / "data").iterdir()) == []
        done = sandbox.here("status", "--json")
        assert done.code == 0, done

    def test_add_again_makes_it_whole(self, sandbox: Sandbox, damage: Callable[[Path], None]) -> None:
        """The user still has the file: `add --rehash` reads it, and leaves a whole copy, whatever the cache had."""
        for name, data in SIZES.items():
            sandbox.write(name, data)
        assert sandbox.here("add", *SIZES).code == 0
        for stored in objects(sandbox):
            stored.chmod(0o644)
            damage(stored)
        assert sandbox.here("add", "--rehash", *SIZES).code == 0
        for name in SIZES:
            (sandbox.root / name).unlink()
        assert sandbox.here("checkout").code == 0
        assert {name: (sandbox.root / name).read_bytes() for name in SIZES} == SIZES

    def test_push_does_not_send_it(self, sandbox: Sandbox, damage: Callable[[Path], None], tmp_path: Path) -> None:
        sandbox.write("m", SIZES["small"])
        assert sandbox.here("add", "m").code == 0
        (stored,) = objects(sandbox)
        stored.chmod(0o644)
        damage(stored)
        set_remote(sandbox, tmp_path / "remote")
        code, _ = error_of(sandbox.here("push", "--json"))
        assert code in (1, 5)
        assert list((tmp_path / "remote").glob("objects/??/*")) == []


def set_remote(sandbox: Sandbox, place: Path) -> None:
    (sandbox.root / ".git/gitmlog/config.toml").write_text(f'[remote.origin]\nurl = "{place}"\n')


class TestCache:
    def test_deleted(self, sandbox: Sandbox) -> None:
        sandbox.write("m", "model")
        sandbox.write("data/a", "a")
        assert sandbox.here("add", "m", "data").code == 0
        shutil.rmtree(sandbox.root / ".git/gitmlog/cache")
        assert "not-cached" in sandbox.here("status", "--json").out
        (sandbox.root / "m").unlink()
        sandbox.fails("checkout", "m", code=5, kind="missing-data")
        sandbox.write("m", "model")
        assert sandbox.here("add", "m", "data").code == 0
        assert len(objects(sandbox)) == 3
        assert "not-cached" not in sandbox.here("status", "--json").out

    def test_everything_of_ours_deleted(self, sandbox: Sandbox) -> None:
        sandbox.write("m", "model")
        assert sandbox.here("add", "m").code == 0
        shutil.rmtree(sandbox.root / ".git/gitmlog")
        assert sandbox.here("status").code == 0
        assert sandbox.here("add", "m").code == 0
        assert len(objects(sandbox)) == 1

    def test_read_only(self, sandbox: Sandbox) -> None:
        sandbox.write("saved", "saved")
        assert sandbox.here("add", "saved").code == 0
        cache = sandbox.root / ".git/gitmlog/cache"
        sandbox.write("m", "model")
        (sandbox.root / "saved").unlink()
        subprocess.run(["chmod", "-R", "a-w", str(cache)], check=True)
        try:
            assert error_of(unprivileged(sandbox, "add", "m", "--json")) == (1, "no-permission")
            assert unprivileged(sandbox, "status").code == 0
            assert unprivileged(sandbox, "checkout").code == 0
        finally:
            subprocess.run(["chmod", "-R", "u+w", str(cache)], check=True)
        assert (sandbox.root / "saved").read_text() == "saved"
        assert (sandbox.root / "m").read_text() == "model"
        assert "m.gitmlog" not in sandbox.git("ls-files")
        assert not (sandbox.root / "m.gitmlog").exists()

    def test_in_the_way_is_a_file(self, sandbox: Sandbox) -> None:
        shutil.rmtree(sandbox.root / ".git/gitmlog/cache")
        sandbox.write(".git/gitmlog/cache", "in the way")
        sandbox.write("m", "model")
        code, _ = error_of(sandbox.here("add", "m", "--json"))
        assert code == 1
        assert not (sandbox.root / "m.gitmlog").exists()


class TestWorkingTree:
    def test_read_only_folder(self, sandbox: Sandbox) -> None:
        sandbox.write("folder/m", "model")
        (sandbox.root / "folder").chmod(0o555)
        try:
            assert error_of(unprivileged(sandbox, "add", "folder/m", "--json")) == (1, "no-permission")
        finally:
            (sandbox.root / "folder").chmod(0o755)
        assert sandbox.git("ls-files") == ""
        assert [path.name for path in (sandbox.root / "folder").iterdir()] == ["m"]
        assert sandbox.here("add", "folder/m").code == 0

    def test_checkout_into_a_read_only_folder(self, sandbox: Sandbox) -> None:
        sandbox.write("data/a", "first")
        assert sandbox.here("add", "data").code == 0
        sandbox.commit()
        sandbox.write("data/a", "second")
        assert sandbox.here("add", "data").code == 0
        (sandbox.root / "data").chmod(0o555)
        try:
            assert error_of(unprivileged(sandbox, "checkout", "--rev", "HEAD", "data", "--json")) == (1, "no-permission")
            assert (sandbox.root / "data/a").read_text() == "second"
        finally:
            (sandbox.root / "data").chmod(0o755)
        assert sandbox.here("checkout").code == 0

    def test_folder_where_a_file_is_expected(self, sandbox: Sandbox) -> None:
        sandbox.write("m", "model")
        assert sandbox.here("add", "m").code == 0
        (sandbox.root / "m").unlink()
        (sandbox.root / "m/empty/below").mkdir(parents=True)
        assert sandbox.here("checkout").code == 0
        assert (sandbox.root / "m").read_text() == "model"

    def test_link_where_a_file_is_expected(self, sandbox: Sandbox, tmp_path: Path) -> None:
        precious = tmp_path / "precious"
        precious.write_text("precious")
        sandbox.write("m", "model")
        assert sandbox.here("add", "m").code == 0
        (sandbox.root / "m").unlink()
        (sandbox.root / "m").symlink_to(precious)
        sandbox.here("checkout")
        sandbox.here("checkout", "--force")
        assert precious.read_text() == "precious"
        assert (sandbox.root / "m").read_text() == "model"

    def test_link_where_a_folder_is_expected(self, sandbox: Sandbox, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        sandbox.write("data/sub/a", "a")
        assert sandbox.here("add", "data").code == 0
        shutil.rmtree(sandbox.root / "data/sub")
        (sandbox.root / "data/sub").symlink_to(elsewhere)
        for command in (["checkout"], ["checkout", "--force"]):
            done = sandbox.here(*command)
            assert "Traceback" not in done.err
            assert list(elsewhere.iterdir()) == []


STATE_DAMAGES = {
    "garbage": lambda path: path.write_bytes(os.urandom(10_000)),
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "header": lambda path: path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000),
    "gone": lambda path: path.unlink(),
    "directory": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", STATE_DAMAGES.values(), ids=STATE_DAMAGES)
@pytest.mark.parametrize("name", ["state.db", "pushed.db"])
def test_damaged_memory(sandbox: Sandbox, damage: Callable[[Path], object], name: str, tmp_path: Path) -> None:
    """It only saves time: whatever is in it, the answers are right."""
    set_remote(sandbox, tmp_path / "remote")
    sandbox.write("m", "model")
    sandbox.write("data/a", "a")
    sandbox.ok("add", "m", "data")
    sandbox.ok("push")
    damage(sandbox.root / ".git/gitmlog" / name)
    sandbox.write("data/a", "changed")
    status = json.loads(sandbox.here("status", "--json").out)["paths"]
    assert ["modified" in path["conditions"] for path in status] == [True, False]
    assert sandbox.here("add", "m", "data").code == 0
    assert sandbox.here("push").code == 0
    (sandbox.root / "m").unlink()
    assert sandbox.here("checkout").code == 0
    assert (sandbox.root / "m").read_text() == "model"


BAD_CONFIG = {
    "garbage": b"\x00\xff",
    "not-toml": b"this is not\n",
    "unknown-key": b"[core]\nhook = 'rm -rf /'\n",
    "unknown-table": b"[alias]\nx = '!sh'\n",
    "wrong-type": b"[core]\njobs = 'many'\n",
    "zero-jobs": b"[core]\njobs = 0\n",
    "bad-link": b"[cache]\nlink = ['teleport']\n",
    "empty-cache-dir": b"[cache]\ndir = ''\n",
    "deep": b"a = " + b"[" * 3000 + b"]" * 3000,
    "too-large": b"#" * ((1 << 20) + 1),
}


@pytest.mark.parametrize("text", BAD_CONFIG.values(), ids=BAD_CONFIG)
@pytest.mark.parametrize("place", [".git/gitmlog/config.toml", ".gitmlog/config.toml"], ids=["private", "committed"])
def test_damaged_config(sandbox: Sandbox, text: bytes, place: str) -> None:
    sandbox.write(place, text)
    sandbox.write("m", "model")
    error = sandbox.fails("add", "m", code=1, kind="bad-config")
    assert "config.toml" in error["message"]
    assert (sandbox.root / "m").read_text() == "model"
    assert sandbox.git("ls-files") == ""


def test_config_of_a_newer_version(sandbox: Sandbox) -> None:
    sandbox.write(".gitmlog/config.toml", "version = 2\n")
    sandbox.fails("status", code=1, kind="newer-version")


@pytest.mark.parametrize(
    "line", ["[cache]\ndir = '/'", "[remote.x]\ntoken = 's'", "[remote.x]\nkey_file = '/etc/shadow'", "[core]\njobs = 9"]
)
def test_committed_config_that_may_not_say_that(sandbox: Sandbox, line: str) -> None:
    sandbox.write(".gitmlog/config.toml", f"{line}\n")
    assert "committed" in sandbox.fails("status", code=1, kind="bad-config")["message"]


def test_config_that_is_a_link_or_a_folder(sandbox: Sandbox) -> None:
    (sandbox.root / ".gitmlog").mkdir()
    (sandbox.root / ".gitmlog/config.toml").symlink_to("/etc/passwd")
    sandbox.fails("status", code=6, kind="link-in-path")
    (sandbox.root / ".gitmlog/config.toml").unlink()
    (sandbox.root / ".gitmlog/config.toml").mkdir()
    code, _ = error_of(sandbox.here("status", "--json"))
    assert code == 1


class TestIndex:
    def test_another_git_holds_it(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(staging, "_WAIT", 0.2)
        sandbox.write("m", "model")
        lock = sandbox.write(".git/index.lock", "")
        error = sandbox.fails("add", "m", code=1, kind="index-locked")
        assert "index.lock" in error["message"]
        assert lock.exists()
        assert (sandbox.root / "m").read_text() == "model"
        lock.unlink()
        assert sandbox.here("add", "m").code == 0
        assert "m.gitmlog" in sandbox.git("ls-files")

    def test_a_dead_gitmlog_held_it(self, sandbox: Sandbox) -> None:
        sandbox.write("m", "model")
        sandbox.write(".git/index.lock", b"gitmlog index lock\n")
        assert sandbox.here("add", "m").code == 0
        assert not (sandbox.root / ".git/index.lock").exists()

    @pytest.mark.parametrize("data", [b"garbage", b"", b"DIRC\0\0\0\2\xff\xff\xff\xff"])
    def test_damaged(self, sandbox: Sandbox, data: bytes) -> None:
        sandbox.write("m", "model")
        assert sandbox.here("add", "m").code == 0
        sandbox.write(".git/index", data)
        sandbox.write("n", "other")
        for command in (["status"], ["add", "n"], ["checkout"], ["rm", "m"]):
            done = sandbox.here(*command, "--json")
            assert "Traceback" not in done.err, done
            assert done.code == 0 or error_of(done) in ((1, "damaged-index"), (3, "not-tracked")), done
        assert (sandbox.root / "m").read_text() == "model"

    def test_merge_conflict_in_a_metafile(self, sandbox: Sandbox) -> None:
        sandbox.write("m", "base")
        assert sandbox.here("add", "m").code == 0
        sandbox.commit()
        sandbox.git("checkout", "-q", "-b", "other")
        for branch, text in (("other", "theirs"), ("main", "ours")):
            sandbox.git("checkout", "-q", branch)
            assert sandbox.here("checkout").code == 0
            sandbox.write("m", text)
            assert sandbox.here("add", "m").code == 0
            sandbox.commit(branch)
        assert sandbox.run("git", "merge", "other").code == 1
        assert "conflict" in sandbox.here("status").out
        assert "conflict" in sandbox.fails("checkout", code=5, kind="bad-metafile")["message"]
        assert (sandbox.root / "m").read_text() == "ours"
        sandbox.git("checkout", "--theirs", "--", "m.gitmlog")
        assert sandbox.here("checkout").code == 0
        assert (sandbox.root / "m").read_text() == "theirs"
        assert sandbox.here("add", "m").code == 0
        assert sandbox.git("ls-files", "-u") == ""


class TestTogether:
    def start(self, sandbox: Sandbox, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "gitmlog", *arguments], cwd=sandbox.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def test_adds_of_different_files(self, sandbox: Sandbox) -> None:
        names = [f"m{number}" for number in range(4)]
        for name in names:
            sandbox.write(name, os.urandom(1 << 20))
        running = [self.start(sandbox, "add", name) for name in names]
        assert [(process.communicate(timeout=60)[0], process.returncode)[1] for process in running] == [0] * 4
        assert set(sandbox.git("ls-files").split()) == {".gitignore", *(f"{name}.gitmlog" for name in names)}
        assert len((sandbox.root / ".gitignore").read_text().split()) == 4
        assert len(objects(sandbox)) == 4

    def test_adds_of_the_same_bytes_in_two_worktrees(self, sandbox: Sandbox, tmp_path: Path) -> None:
        sandbox.write("readme", "x")
        sandbox.commit()
        sandbox.git("worktree", "add", "-q", str(tmp_path / "linked"))
        linked = Sandbox(tmp_path / "linked")
        data = os.urandom(4 << 20)
        for where in (sandbox, linked):
            where.write("m", data)
        running = [self.start(where, "add", "m") for where in (sandbox, linked, sandbox, linked)]
        assert [(process.communicate(timeout=60)[0], process.returncode)[1] for process in running] == [0] * 4
        (stored,) = objects(sandbox)
        assert stored.read_bytes() == data

    def test_add_and_git_add(self, sandbox: Sandbox) -> None:
        for number in range(6):
            sandbox.write(f"m{number}", os.urandom(1 << 16))
            sandbox.write(f"code{number}.py", "x")
        running = [self.start(sandbox, "add", f"m{number}") for number in range(3)]
        for number in range(6):
            while sandbox.run("git", "add", f"code{number}.py").code != 0:
                assert any(process.poll() is None for process in running) or not (sandbox.root / ".git/index.lock").exists()
        assert [(process.communicate(timeout=60)[0], process.returncode)[1] for process in running] == [0] * 3
        staged = set(sandbox.git("ls-files").split())
        assert staged >= {f"code{number}.py" for number in range(6)} | {f"m{number}.gitmlog" for number in range(3)}
