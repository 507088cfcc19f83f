"""Metafiles, trees and links that somebody committed to do harm: refused, and nothing outside is written or removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from tests.conftest import Sandbox

COMMANDS = [["checkout"], ["checkout", "--force"], ["checkout", "--rev", "HEAD", "."], ["rm", "--force", "."]]


def without_ours(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if "/.git/gitmlog/" not in name}


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its bytes, and every link with its target."""

    def read(path: Path) -> Iterator[tuple[str, bytes]]:
        for entry in sorted(path.rglob("*")):
            if entry.is_symlink():
                yield str(entry), os.fsencode(os.readlink(entry))
            elif entry.is_file():
                yield str(entry), entry.read_bytes()

    return dict(read(folder))


def put_object(sandbox: Sandbox, data: bytes) -> str:
    """An object that is what its name says, whatever its bytes mean."""
    oid = blake3(data).hexdigest()
    path = sandbox.root / ".git/gitmlog/cache/objects" / oid[:2] / oid[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return oid


def directory_metafile(name: str, oid: str, size: int, files: int) -> str:
    return f'version = 1\n\n[directory]\npath = "{name}"\nblake3 = "{oid}"\nsize = {size}\nfiles = {files}\n'


def file_metafile(name: str, oid: str, size: int) -> str:
    return f'version = 1\n\n[file]\npath = "{name}"\nblake3 = "{oid}"\nsize = {size}\n'


def commit_metafile(sandbox: Sandbox, path: str, text: str) -> None:
    sandbox.write(path, text)
    sandbox.git("add", "-f", "--", path)
    sandbox.git("commit", "-q", "-m", "looks harmless")


HOOK = b"#!/bin/sh\ntouch pwned\n"


@pytest.mark.parametrize(
    "path",
    [
        ".git.gitmlog",
        "x/.git.gitmlog",
        "x/.GIT.gitmlog",
        "x/git~1.gitmlog",
        "x/.git .gitmlog",
        "-rf.gitmlog",
        "a.gitmlog.gitmlog",
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_metafile_at_a_hostile_place(sandbox: Sandbox, path: str, command: list[str]) -> None:
    hook = put_object(sandbox, HOOK)
    tree = put_object(sandbox, f"gitmlog-tree 1\nx {hook} {len(HOOK)} hooks/post-checkout\n".encode())
    commit_metafile(sandbox, path, directory_metafile("data", tree, len(HOOK), 1))
    before = without_ours(snapshot(sandbox.root))
    error = sandbox.fails(*command, code=5, kind="bad-metafile")
    assert "may not track" in error["message"]
    assert without_ours(snapshot(sandbox.root)) == before
    assert '"bad"' in sandbox.here("status", "--json").out


HOSTILE_TREES = {
    "parent": "- {oid} 5 ../escape",
    "absolute": "- {oid} 5 /tmp/escape",
    "inside-parent": "- {oid} 5 a/../../escape",
    "dot-git": "- {oid} 5 .git/hooks/post-checkout",
    "dot-git-case": "- {oid} 5 sub/.GIT/config",
    "ntfs": "- {oid} 5 git~1/config",
    "hfs": "- {oid} 5 .g\u200cit/config",
    "stream": "- {oid} 5 .git::$INDEX_ALLOCATION/config",
    "backslash": "- {oid} 5 a\\..\\b",
    "empty-component": "- {oid} 5 a//b",
    "dash": "- {oid} 5 -rf",
    "control": "- {oid} 5 a\x1b[2Jb",
    "bidi": "- {oid} 5 a\u202egpj.exe",
    "twice": "- {oid} 5 a\n- {oid} 5 a",
    "file-and-folder": "- {oid} 5 a\n- {oid} 5 a/b",
    "unsorted": "- {oid} 5 b\n- {oid} 5 a",
    "kind": "s {oid} 5 a",
    "short-id": "- abcd 5 a",
    "path-as-id": "- ../../../../etc/passwd 5 a",
    "negative": "- {oid} -5 a",
    "huge": "- {oid} 99999999999999999999999 a",
    "no-entry": "hello",
    "not-utf8": "- {oid} 5 \udcff",
}


@pytest.mark.parametrize("line", HOSTILE_TREES.values(), ids=HOSTILE_TREES)
def test_hostile_tree(sandbox: Sandbox, line: str) -> None:
    oid = put_object(sandbox, b"bytes")
    tree = put_object(sandbox, ("gitmlog-tree 1\n" + line.format(oid=oid) + "\n").encode("utf-8", "surrogateescape"))
    commit_metafile(sandbox, "data.gitmlog", directory_metafile("data", tree, 5, 1))
    before = snapshot(sandbox.root.parent)
    sandbox.fails("checkout", "--force", code=5, kind="bad-tree")
    after = snapshot(sandbox.root.parent)
    assert {name for name in after if "/gitmlog/" not in name} == {name for name in before if "/gitmlog/" not in name}
    assert not (sandbox.root / "data").exists()


def test_tree_of_a_newer_version(sandbox: Sandbox) -> None:
    tree = put_object(sandbox, b"gitmlog-tree 2\nwhatever\n")
    commit_metafile(sandbox, "data.gitmlog", directory_metafile("data", tree, 5, 1))
    assert "upgrade" in sandbox.fails("checkout", code=5, kind="newer-version")["hint"]


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "a/../../outside", "", ".git/config", "sub/.git/hooks"])
def test_link_in_a_tree_that_leads_outside(sandbox: Sandbox, target: str) -> None:
    oid = put_object(sandbox, target.encode())
    tree = put_object(sandbox, f"gitmlog-tree 1\nl {oid} {len(target)} link\n".encode())
    commit_metafile(sandbox, "data.gitmlog", directory_metafile("data", tree, len(target), 1))
    sandbox.fails("checkout", code=6, kind="link-outside")
    assert not os.path.lexists(sandbox.root / "data/link")


def test_link_in_a_tree_then_a_file_through_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """`a` is a link and `a/b` a file: a tree cannot say so, and a link that lies there already is not followed."""
    outside = tmp_path / "outside"
    outside.mkdir()
    oid = put_object(sandbox, b"bytes")
    tree = put_object(sandbox, f"gitmlog-tree 1\n- {oid} 5 a/b\n".encode())
    commit_metafile(sandbox, "data.gitmlog", directory_metafile("data", tree, 5, 1))
    (sandbox.root / "data").mkdir()
    (sandbox.root / "data/a").symlink_to(outside)
    done = sandbox.here("checkout", "--force")
    assert list(outside.iterdir()) == []
    assert done.code in (0, 6), done


@pytest.mark.parametrize("command", COMMANDS)
def test_folder_that_is_a_link_to_elsewhere(sandbox: Sandbox, tmp_path: Path, command: list[str]) -> None:
    """The user replaced a folder by a link to another disk: nothing is written or removed through it."""
    outside = tmp_path / "outside"
    (outside / "set/empty").mkdir(parents=True)
    (outside / "set/mine.txt").write_text("mine")
    for name in ("set/one", "model"):
        sandbox.write(f"folder/{name}", name)
    sandbox.ok("add", "folder/set", "folder/model")
    sandbox.commit()
    for name in sorted((sandbox.root / "folder").rglob("*"), reverse=True):
        name.rmdir() if name.is_dir() else name.unlink()
    (sandbox.root / "folder").rmdir()
    (sandbox.root / "folder").symlink_to(outside)
    done = sandbox.here(*command)
    assert done.code in (3, 5, 6) or command[0] == "checkout", done
    assert "Traceback" not in done.err
    assert snapshot(outside) == {str(outside / "set/mine.txt"): b"mine"}
    assert (outside / "set/empty").is_dir()


def test_gitignore_that_is_a_link(sandbox: Sandbox, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious\n")
    (sandbox.root / ".gitignore").symlink_to(target)
    sandbox.write("m.bin", "m")
    sandbox.fails("add", "m.bin", code=6, kind="link-in-path")
    assert target.read_text() == "precious\n"


def test_metafile_that_is_a_link(sandbox: Sandbox, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious\n")
    sandbox.write("m.bin", "m")
    (sandbox.root / "m.bin.gitmlog").symlink_to(target)
    sandbox.fails("add", "m.bin", code=6, kind="link-in-path")
    assert target.read_text() == "precious\n"
    assert (sandbox.root / "m.bin").read_text() == "m"


def test_size_that_is_not_the_objects(sandbox: Sandbox) -> None:
    oid = put_object(sandbox, b"bytes")
    commit_metafile(sandbox, "m.bin.gitmlog", file_metafile("m.bin", oid, 1 << 40))
    sandbox.fails("checkout", code=5, kind="bad-metafile")
    assert not (sandbox.root / "m.bin").exists()
    assert (sandbox.root / ".git/gitmlog/cache/objects" / oid[:2] / oid[2:]).exists()


HOSTILE_METAFILES = {
    "unknown-key": 'version = 1\n\n[file]\npath = "m"\nblake3 = "{oid}"\nsize = 5\ncommand = "rm -rf /"\n',
    "unknown-table": 'version = 1\n\n[file]\npath = "m"\nblake3 = "{oid}"\nsize = 5\n[run]\ncmd = "x"\n',
    "path-outside": 'version = 1\n\n[file]\npath = "../m"\nblake3 = "{oid}"\nsize = 5\n',
    "path-control": 'version = 1\n\n[file]\npath = "m\\u001b[2J"\nblake3 = "{oid}"\nsize = 5\n',
    "id-is-a-path": 'version = 1\n\n[file]\npath = "m"\nblake3 = "../../../../../../../../etc/passwd"\nsize = 5\n',
    "id-upper": 'version = 1\n\n[file]\npath = "m"\nblake3 = "' + "A" * 64 + '"\nsize = 5\n',
    "size-negative": 'version = 1\n\n[file]\npath = "m"\nblake3 = "{oid}"\nsize = -1\n',
    "size-boolean": 'version = 1\n\n[file]\npath = "m"\nblake3 = "{oid}"\nsize = true\n',
    "size-text": 'version = 1\n\n[file]\npath = "m"\nblake3 = "{oid}"\nsize = "5"\n',
    "size-huge": 'version = 1\n\n[file]\npath = "m"\nblake3 = "{oid}"\nsize = 9223372036854775808\n',
    "key-twice": 'version = 1\n\n[file]\npath = "m"\npath = "n"\nblake3 = "{oid}"\nsize = 5\n',
    "both-tables": 'version = 1\n[file]\npath = "m"\nblake3 = "{oid}"\nsize = 5\n[directory]\nfiles = 1\n',
    "no-table": "version = 1\n",
    "no-version": '[file]\npath = "m"\nblake3 = "{oid}"\nsize = 5\n',
    "empty": "",
    "not-toml": "this is not TOML\n",
    "conflict": "<<<<<<< HEAD\nversion = 1\n=======\nversion = 1\n>>>>>>> other\n",
    "too-long": "version = 1\n" + "#" * (1 << 20),
    "deep": "version = 1\na = " + "[" * 5000 + "]" * 5000 + "\n",
    "dotted": "version = 1\n" + ".".join("a" * 1 for _ in range(5000)) + " = 1\n",
    "not-utf8": "version = 1\n# \udcff\n",
}


@pytest.mark.parametrize("text", HOSTILE_METAFILES.values(), ids=HOSTILE_METAFILES)
def test_hostile_metafile(sandbox: Sandbox, text: str) -> None:
    oid = put_object(sandbox, b"bytes")
    raw = text.replace("{oid}", oid).encode("utf-8", "surrogateescape")
    (sandbox.root / "m.gitmlog").write_bytes(raw)
    sandbox.git("add", "-f", "m.gitmlog")
    error = sandbox.fails("checkout", code=5, kind="bad-metafile")
    assert "m.gitmlog" in error["message"]
    assert not (sandbox.root / "m").exists()


def test_metafile_of_a_newer_version(sandbox: Sandbox) -> None:
    commit_metafile(sandbox, "m.gitmlog", 'version = 2\n\n[file]\nsecret = "new"\n')
    for command in (["checkout"], ["add", "m"], ["rm", "--cached", "m"]):
        sandbox.write("m", "my bytes")
        if command[0] == "rm":
            sandbox.here(*command)  # what cannot be read may still be given up
        else:
            assert "upgrade" in sandbox.fails(*command, code=5, kind="newer-version")["hint"]
        assert (sandbox.root / "m").read_text() == "my bytes"
