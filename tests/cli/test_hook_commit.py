"""pre-commit and prepare-commit-msg, called by the real git."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gitmlog.core.paths import display
from tests.conftest import Done, Sandbox


def commit(sandbox: Sandbox, *options: str, env: dict[str, str] | None = None) -> Done:
    return sandbox.run("git", "commit", "-q", *(options or ("-m", "change")), env=env)


def stopped(sandbox: Sandbox, *words: str, options: tuple[str, ...] = ()) -> str:
    """The commit is stopped, says so in these words, and nothing is committed; all the same it can be."""
    head, index = sandbox.git("rev-parse", "HEAD"), sandbox.git("ls-files", "--stage")
    done = commit(sandbox, *options)
    assert done.code != 0, done
    for word in (*words, "error: the commit was stopped", "git commit --no-verify"):
        assert word in done.err, (word, done.err)
    assert (sandbox.git("rev-parse", "HEAD"), sandbox.git("ls-files", "--stage")) == (head, index)
    return done.err


def track(sandbox: Sandbox, path: str, data: bytes | str) -> None:
    sandbox.write(path, data)
    sandbox.ok("add", path)


class TestRaw:
    def test_a_large_binary(self, hooked: Sandbox) -> None:
        hooked.write("my model.bin", b"\0" * 10_485_760)
        hooked.git("add", "my model.bin")
        said = stopped(hooked, "'my model.bin': 10.5 MB of binary data")
        line = next(line for line in said.splitlines() if "gitmlog add" in line).strip()
        assert line == "git rm --cached --quiet -- 'my model.bin' && gitmlog add 'my model.bin'"
        hooked.run("sh", "-ec", line.replace("gitmlog add", f"{sys.executable} -m gitmlog add"), check=True)
        assert commit(hooked).code == 0
        assert "my model.bin.gitmlog" in hooked.git("show", "--stat", "HEAD")

    def test_one_byte_less_passes(self, hooked: Sandbox) -> None:
        hooked.write("m.bin", b"\0" * 10_485_759)
        hooked.git("add", "m.bin")
        assert commit(hooked).code == 0

    def test_the_limit_is_a_setting(self, hooked: Sandbox) -> None:
        hooked.ok("config", "--shared", "status.large", "1000")
        hooked.write("m.bin", b"\0" * 1000)
        hooked.git("add", "m.bin")
        stopped(hooked, "m.bin: 1.0 kB of binary data")

    def test_a_large_text_is_only_remarked_upon(self, hooked: Sandbox) -> None:
        hooked.write("t.csv", "1,2,3\n" * 2_000_000)
        hooked.git("add", "t.csv")
        done = commit(hooked)
        assert done.code == 0
        assert "t.csv has 12.0 MB" in done.err

    def test_with_a_and_with_a_path(self, hooked: Sandbox) -> None:
        hooked.write("m.bin", b"a")
        hooked.write("code.py", "a")
        hooked.git("add", "m.bin", "code.py")
        commit(hooked)
        hooked.write("m.bin", b"\0" * 11_000_000)
        hooked.write("code.py", "b")
        stopped(hooked, "m.bin: 11.0 MB", options=("-a", "-m", "x"))
        stopped(hooked, "m.bin: 11.0 MB", options=("-m", "x", "--", "m.bin"))
        assert commit(hooked, "-m", "x", "--", "code.py").code == 0

    def test_the_first_commit(self, hooked: Sandbox) -> None:
        hooked.git("checkout", "-q", "--orphan", "other")
        hooked.write("m.bin", b"\0" * 11_000_000)
        hooked.git("add", "m.bin")
        assert "m.bin: 11.0 MB" in commit(hooked).err


class TestTwice:
    def test_a_tracked_file(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        commit(hooked)
        hooked.git("add", "-f", "m.bin")
        stopped(hooked, "m.bin: gitmlog tracks m.bin, and git would keep these bytes, too", "git rm --cached --quiet -- m.bin")

    def test_in_a_tracked_directory(self, hooked: Sandbox) -> None:
        hooked.write("sub dir/ü/a", "1")
        hooked.ok("add", "sub dir")
        commit(hooked)
        hooked.git("add", "-f", "sub dir/ü/a")
        stopped(hooked, "gitmlog tracks 'sub dir', and git would keep")

    def test_renamed_by_hand_with_all_added(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        commit(hooked)
        (hooked.root / "m.bin").rename(hooked.root / "b.bin")
        (hooked.root / "m.bin.gitmlog").rename(hooked.root / "b.bin.gitmlog")
        hooked.git("add", "-A")
        done = commit(hooked)
        assert done.code != 0
        assert "gitmlog tracks b.bin" in done.err
        hooked.git("rm", "-q", "--cached", "b.bin")
        assert commit(hooked).code == 0
        assert "b.bin" not in hooked.git("ls-files").split()
        assert hooked.git("status", "--porcelain") == ""


class TestMetafiles:
    def test_the_file_changed_since(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        hooked.write("m.bin", "two")
        stopped(
            hooked, "m.bin.gitmlog: m.bin is not what its metafile says", "gitmlog add m.bin", "gitmlog checkout --force m.bin"
        )

    def test_the_metafile_was_edited(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        text = (hooked.root / "m.bin.gitmlog").read_text()
        hooked.write("m.bin.gitmlog", text.replace('blake3 = "', 'blake3 = "0000')[: len(text) + 4].replace("\nsize", "\nsize"))
        hooked.git("add", "m.bin.gitmlog")
        stopped(hooked, "m.bin.gitmlog:5: blake3: must be 64")
        hooked.write("m.bin.gitmlog", text.replace(text.split('blake3 = "')[1][:64], "0" * 64))
        hooked.git("add", "m.bin.gitmlog")
        stopped(hooked, "neither in the cache nor known to be on a remote")

    def test_a_part_of_a_directory_changed(self, hooked: Sandbox) -> None:
        hooked.write("d/a", "1")
        hooked.ok("add", "d")
        hooked.write("d/b", "2")
        stopped(hooked, "d.gitmlog: d is not what its metafile says")

    def test_an_object_is_lost(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        for path in (hooked.root / ".git/gitmlog/cache/objects").glob("*/*"):
            path.unlink()
        stopped(hooked, "the bytes of m.bin are neither in the cache")
        hooked.ok("add", "m.bin")
        assert commit(hooked).code == 0

    def test_one_that_a_file_of_a_directory_needs(self, hooked: Sandbox) -> None:
        hooked.write("d/a", "some bytes of a")
        hooked.ok("add", "d")
        path = next(p for p in (hooked.root / ".git/gitmlog/cache/objects").glob("*/*") if p.read_text() == "some bytes of a")
        path.unlink()
        stopped(hooked, "the bytes of d are neither")

    def test_what_was_pushed_is_safe(self, hooked: Sandbox, tmp_path: Path) -> None:
        hooked.ok("remote", "add", "origin", str(tmp_path / "store"))
        track(hooked, "m.bin", "one")
        hooked.ok("push")
        for path in (hooked.root / ".git/gitmlog/cache/objects").glob("*/*"):
            path.unlink()
        assert commit(hooked).code == 0

    def test_the_objects_of_others_that_a_merge_brings(self, hooked: Sandbox) -> None:
        """They were never here: whoever committed them answers for them."""
        track(hooked, "m.bin", "one")
        commit(hooked)
        hooked.git("checkout", "-q", "-b", "theirs")
        track(hooked, "m.bin", "two")
        commit(hooked)
        hooked.git("checkout", "-q", "main")
        track(hooked, "m.bin", "three")
        commit(hooked)
        assert hooked.run("git", "merge", "-q", "theirs").code != 0
        path = next(p for p in (hooked.root / ".git/gitmlog/cache/objects").glob("*/*") if p.read_text() == "two")
        path.unlink()
        hooked.git("checkout", "--theirs", "--", "m.bin.gitmlog")
        hooked.git("add", "m.bin.gitmlog")
        done = commit(hooked, "--no-edit")
        assert done.code == 0, done

    def test_missing_and_older_files_lose_nothing(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        commit(hooked)
        track(hooked, "m.bin", "two")
        (hooked.root / "m.bin").unlink()
        assert commit(hooked).code == 0
        hooked.git("-c", "core.hooksPath=/dev/null", "checkout", "-q", "HEAD~1", "--", "m.bin.gitmlog")
        assert commit(hooked).code == 0

    def test_links_and_bad_names(self, hooked: Sandbox) -> None:
        (hooked.root / "l.gitmlog").symlink_to("/etc/passwd")
        hooked.git("add", "l.gitmlog")
        stopped(hooked, "l.gitmlog: a metafile may not be a symbolic link")
        hooked.git("rm", "-q", "--cached", "l.gitmlog")
        blob = hooked.run("git", "hash-object", "-w", "--stdin").out.strip()
        hooked.git("update-index", "--add", "--cacheinfo", f"100644,{blob},x.gitmlog.gitmlog")
        stopped(hooked, "it is itself the name of a metafile")


@pytest.mark.long
class TestUnwanted:
    @pytest.mark.parametrize(
        "name", ["debug.log", "notes.txt~", ".a.swp", "out.tmp", "checkpoint-500.bin", "a/__pycache__/b.pyc", ".DS_Store"]
    )
    def test_files(self, hooked: Sandbox, name: str) -> None:
        hooked.write(name, "x")
        hooked.git("add", "-f", name)
        stopped(hooked, f"{display(name)}: it should not be logged: .gitmlog/unwanted has ")

    def test_tracked_by_gitmlog(self, hooked: Sandbox) -> None:
        track(hooked, "checkpoint-500.pt", "weights")
        stopped(hooked, "checkpoint-500.pt.gitmlog: it should not be logged", "gitmlog rm --cached checkpoint-500.pt")

    def test_new_in_a_tracked_directory(self, hooked: Sandbox) -> None:
        hooked.write("d/a", "1")
        hooked.ok("add", "d")
        commit(hooked)
        hooked.write("d/.DS_Store", "1")
        hooked.write("d/x.log", "1")
        hooked.ok("add", "d")
        stopped(hooked, "d/.DS_Store (and 1 more)", "should not be logged")

    def test_the_list_is_the_users(self, hooked: Sandbox) -> None:
        hooked.write(".gitmlog/unwanted", "*.secret\n!fine.secret\n")
        hooked.git("add", ".gitmlog/unwanted")
        commit(hooked)
        for name in ("a.log", "fine.secret"):
            hooked.write(name, "x")
        hooked.git("add", "a.log", "fine.secret")
        assert commit(hooked).code == 0
        hooked.write("b.secret", "x")
        hooked.git("add", "b.secret")
        stopped(hooked, "b.secret: it should not be logged: .gitmlog/unwanted has '*.secret'")
        hooked.write(".gitmlog/unwanted", "*a*a*a*a*a*b\n")
        hooked.git("add", ".gitmlog/unwanted")
        assert "more than 3 stars" in commit(hooked).err

    def test_what_was_there_before_stays(self, hooked: Sandbox) -> None:
        hooked.write("old.log", "x")
        hooked.git("add", "old.log")
        assert commit(hooked, "--no-verify", "-m", "x").code == 0
        hooked.write("old.log", "y")
        hooked.git("add", "old.log")
        assert commit(hooked).code == 0


class TestSecrets:
    def test_in_records(self, hooked: Sandbox) -> None:
        hooked.write(".gitmlog/runs/20261123-091502-swift-otter/run.toml", '[params]\nlr = 0.1\napi_key = "hunter2hunter2"\n')
        hooked.git("add", ".gitmlog")
        said = stopped(hooked, "run.toml: line 3 holds what looks like a secret (the value of api_key)")
        assert "hunter2" not in said

    def test_in_a_description(self, hooked: Sandbox) -> None:
        hooked.write("m.bin", "one")
        hooked.ok("add", "--desc", "made with ghp_abcdefghijklmnopqrstuvwxyz0123456789", "m.bin")
        stopped(hooked, "m.bin.gitmlog: line 2 holds what looks like a secret")

    def test_not_in_code(self, hooked: Sandbox) -> None:
        """That is the work of other tools."""
        hooked.write("a.py", 'password = "hunter2hunter2"\n')
        hooked.git("add", "a.py")
        assert commit(hooked).code == 0

    def test_records_of_real_runs_pass(self, hooked: Sandbox) -> None:
        hooked.write("train.py", "print('metric acc=0.9')\n")
        hooked.git("add", "train.py")
        commit(hooked)
        hooked.ok("run", "-p", "lr=0.1", "--", "python3", "train.py")
        hooked.ok("runs", "accept", "last")
        hooked.git("reset", "-q", "--soft", "HEAD~1")
        assert commit(hooked).code == 0


@pytest.mark.long
class TestMessage:
    def test_a_paragraph(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        hooked.write("d/a", "1")
        hooked.ok("add", "d")
        commit(hooked, "-m", "first", "-m", "More words.", "-s")
        message = hooked.git("log", "-1", "--format=%B")
        who = "Signed-off-by: Ada <ada@example.org>"
        assert message == f"first\n\nMore words.\n\nd: added, 1 file, 1 B\nm.bin: added, 3 B\n\n{who}\n\n"
        hooked.git("mv", "m.bin.gitmlog", "n.bin.gitmlog")
        hooked.git("rm", "-q", "--cached", "d.gitmlog")
        commit(hooked, "-m", "second")
        assert hooked.git("log", "-1", "--format=%b") == "d: removed, was 1 file, 1 B\nn.bin: renamed from m.bin, 3 B\n\n"

    def test_in_an_editor_it_is_a_comment(self, hooked: Sandbox, tmp_path: Path) -> None:
        track(hooked, "m.bin", "one")
        seen = tmp_path / "seen"
        editor = tmp_path / "editor"
        editor.write_text(f'#!/bin/sh\ncp "$1" "{seen}"\necho subject > "$1"\n')
        editor.chmod(0o755)
        hooked.run("git", "commit", "-q", env={"GIT_EDITOR": str(editor)}, check=True)
        assert "# Models and data:\n#\tm.bin: added, 3 B\n#\n# Please enter" in seen.read_text()
        assert hooked.git("log", "-1", "--format=%B") == "subject\n\n"

    def test_scissors(self, hooked: Sandbox, tmp_path: Path) -> None:
        hooked.git("config", "commit.cleanup", "scissors")
        track(hooked, "m.bin", "one")
        editor = tmp_path / "editor"
        editor.write_text('#!/bin/sh\n{ echo subject; cat "$1"; } > "$1.new" && mv "$1.new" "$1"\n')
        editor.chmod(0o755)
        hooked.run("git", "commit", "-q", env={"GIT_EDITOR": str(editor)}, check=True)
        assert hooked.git("log", "-1", "--format=%B").strip() == "subject"

    def test_nothing_written_is_still_no_commit(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        assert hooked.run("git", "commit", "-q", env={"GIT_EDITOR": "true"}).code != 0

    def test_an_empty_message_stays_empty(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        assert commit(hooked, "-m", "").code != 0

    def test_lines_that_begin_as_comments(self, hooked: Sandbox) -> None:
        hooked.git("config", "core.commentChar", "auto")
        track(hooked, "m.bin", "one")
        commit(hooked, "-m", "subject", "-m", "#12 is closed")
        assert hooked.git("log", "-1", "--format=%B").strip() == "subject\n\n#12 is closed\n\nm.bin: added, 3 B"

    def test_messages_that_were_written_before_stay(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        commit(hooked, "-m", "first")
        before = hooked.git("log", "-1", "--format=%B")
        hooked.git("commit", "-q", "--amend", "--no-edit")
        assert hooked.git("log", "-1", "--format=%B") == before
        hooked.git("checkout", "-q", "-b", "other", "HEAD~1")
        hooked.git("cherry-pick", "main")
        assert hooked.git("log", "-1", "--format=%B") == before
        hooked.git("commit", "-q", "--allow-empty", "-m", "x")
        hooked.git("checkout", "-q", "-b", "third", "main~1")
        track(hooked, "n.bin", "one")
        commit(hooked, "-m", "n")
        hooked.git("rebase", "-q", "other")
        assert hooked.git("log", "-1", "--format=%B").count("n.bin: added") == 1

    def test_many_lines_are_cut(self, hooked: Sandbox) -> None:
        for number in range(12):
            hooked.write(f"m{number:02}.bin", "one")
        hooked.ok("add", *[f"m{number:02}.bin" for number in range(12)])
        commit(hooked, "-m", "many")
        lines = hooked.git("log", "-1", "--format=%b").strip().splitlines()
        assert (len(lines), lines[-1]) == (10, "and 3 more")

    def test_off(self, hooked: Sandbox) -> None:
        hooked.ok("config", "hooks.message", "off")
        track(hooked, "m.bin", "one")
        commit(hooked, "-m", "first")
        assert hooked.git("log", "-1", "--format=%B") == "first\n\n"


@pytest.mark.long
class TestRename:
    def test_the_file_follows_git_mv(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        commit(hooked)
        hooked.write("sub/keep", "")
        hooked.git("mv", "m.bin.gitmlog", "sub/best.bin.gitmlog")
        inode = (hooked.root / "m.bin").stat().st_ino
        done = commit(hooked)
        assert done.code == 0, done
        assert "m.bin was renamed to sub/best.bin" in done.err
        assert not (hooked.root / "m.bin").exists()
        assert (hooked.root / "sub/best.bin").stat().st_ino == inode
        assert 'path = "best.bin"' in hooked.git("show", "HEAD:sub/best.bin.gitmlog")
        assert hooked.git("show", "HEAD:sub/.gitignore") == "/best.bin\n"
        assert hooked.git("status", "--porcelain") == "?? sub/keep\n"
        assert hooked.ok("status", "--exit-code", "sub/best.bin")

    def test_with_a_it_is_said(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        commit(hooked)
        hooked.git("mv", "m.bin.gitmlog", "best.bin.gitmlog")
        done = commit(hooked, "-a", "-m", "x")
        assert done.code != 0
        assert "gitmlog checkout, then commit again" in done.err
        hooked.ok("checkout")
        assert (hooked.root / "best.bin").read_text() == "one"
        assert commit(hooked, "-a", "-m", "x").code == 0

    def test_checkout_of_the_path(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        commit(hooked)
        hooked.git("mv", "m.bin.gitmlog", "best.bin.gitmlog")
        hooked.ok("checkout", "best.bin")
        assert not (hooked.root / "m.bin").exists()
        assert hooked.git("check-ignore", "best.bin").strip() == "best.bin"
        assert commit(hooked).code == 0
        assert hooked.git("status", "--porcelain") == ""

    def test_a_changed_file_follows_and_is_no_version_yet(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        commit(hooked)
        hooked.git("mv", "m.bin.gitmlog", "best.bin.gitmlog")
        hooked.write("m.bin", "mine")
        done = commit(hooked)
        assert "best.bin is not what its metafile says" in done.err
        assert (hooked.root / "best.bin").read_text() == "mine"
        hooked.ok("add", "best.bin")
        assert commit(hooked).code == 0

    def test_a_directory_with_a_new_file(self, hooked: Sandbox) -> None:
        hooked.write("data/a", "1")
        hooked.ok("add", "data")
        commit(hooked)
        hooked.write("data/new", "2")
        hooked.git("mv", "data.gitmlog", "data2.gitmlog")
        assert "data2 is not what its metafile says" in commit(hooked).err
        assert sorted(path.name for path in (hooked.root / "data2").iterdir()) == ["a", "new"]
        assert not (hooked.root / "data").exists()
        assert "?? data" not in hooked.git("status", "--porcelain")

    def test_the_new_name_is_taken(self, hooked: Sandbox) -> None:
        track(hooked, "d.bin", "one")
        commit(hooked)
        hooked.git("mv", "d.bin.gitmlog", "e.bin.gitmlog")
        hooked.write("e.bin", "precious")
        before = (hooked.root / ".gitignore").read_text()
        done = commit(hooked)
        assert done.code != 0
        assert "which is another file" in done.err
        assert (hooked.root / "e.bin").read_text() == "precious"
        assert ((hooked.root / ".gitignore").read_text(), (hooked.root / "d.bin").read_text()) == (before, "one")

    def test_two_of_the_same_bytes(self, hooked: Sandbox) -> None:
        for name in ("c1.bin", "c2.bin"):
            track(hooked, name, "same")
        commit(hooked)
        hooked.git("mv", "c1.bin.gitmlog", "d1.bin.gitmlog")
        hooked.git("mv", "c2.bin.gitmlog", "d2.bin.gitmlog")
        assert commit(hooked).code == 0
        names = {path.name for path in hooked.root.iterdir() if path.suffix == ".bin"}
        assert names == {"d1.bin", "d2.bin"}
        assert hooked.git("show", "HEAD:.gitignore").split() == ["/d1.bin", "/d2.bin"]
        assert 'path = "d2.bin"' in hooked.git("show", "HEAD:d2.bin.gitmlog")

    def test_what_is_not_staged_stays_so(self, hooked: Sandbox) -> None:
        track(hooked, "m.bin", "one")
        commit(hooked)
        hooked.git("mv", "m.bin.gitmlog", "z.bin.gitmlog")
        text = (hooked.root / "z.bin.gitmlog").read_text()
        hooked.write("z.bin.gitmlog", text.replace("version = 1\n", 'version = 1\ndesc = "draft"\n'))
        assert commit(hooked).code == 0
        assert "draft" not in hooked.git("show", "HEAD:z.bin.gitmlog")
        assert "draft" in (hooked.root / "z.bin.gitmlog").read_text()
