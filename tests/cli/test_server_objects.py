"""The hook pre-receive: objects before pointers."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from gitmlog.core.digest import hash_bytes
from gitmlog.metafile.schema import FileFacts, Metafile
from gitmlog.metafile.text import format_metafile
from tests.conftest import Sandbox
from tests.hub import Hub, blob, commit, install, make_hub, tree
from tests.runs import FIRST, git, make_run


@pytest.fixture
def hub(sandbox: Sandbox, tmp_path: Path) -> Hub:
    return make_hub(sandbox, tmp_path)


def add(hub: Hub, path: str = "model.bin", data: bytes = b"weights") -> None:
    hub.box.write(path, data)
    assert hub.box.here("add", path).code == 0
    hub.box.commit(path)


def text(data: bytes = b"nowhere", size: int | None = None) -> bytes:
    """A metafile of bytes that no remote has."""
    return format_metafile(Metafile(FileFacts("m", hash_bytes(data), len(data) if size is None else size)))


def test_an_ordinary_repository_needs_no_remote(make_sandbox: object, sandbox: Sandbox, tmp_path: Path) -> None:
    hub = make_hub(sandbox, tmp_path, remote=False)
    sandbox.write("src/ünïcode and space/ok.py", "1\n")
    sandbox.write("a:b@c#d\\e.gitmlogx", "1\n")
    sandbox.write(".gitignore", "x\n")
    sandbox.git("checkout", "-q", "-b", "feature")
    sandbox.commit()
    sandbox.git("tag", "v1.0")
    sandbox.git("tag", "-a", "release-2024", "-m", "x")
    hub.takes("feature", "--tags")
    sandbox.git("commit", "-q", "--amend", "-m", "another")
    hub.takes("--force", "feature")
    hub.takes(":feature", ":v1.0")
    assert set(hub.refs()) == {"refs/heads/main", "refs/tags/release-2024"}
    assert not (hub.path / "gitmlog").exists()


def test_a_pointer_without_its_bytes_is_refused_and_taken_after_push(hub: Hub) -> None:
    add(hub)
    said = hub.refuses("main", words=("model.bin: remote 'origin' does not have its object", "`gitmlog push` sends the objects"))
    assert hash_bytes(b"weights")[:12] in said
    assert hub.box.here("push").code == 0
    hub.takes("main")


def test_every_pointer_is_named_up_to_twenty(hub: Hub) -> None:
    for number in range(25):
        hub.box.write(f"m{number:02}", f"weights {number}")
    assert hub.box.here("add", *(f"m{number:02}" for number in range(25))).code == 0
    hub.box.commit()
    said = hub.refuses("main", words=("m00: ", "5 more problems"))
    assert said.count("does not have its object") == 20
    assert said.count("hint: ") == 1


def test_in_any_commit_not_only_the_last(hub: Hub) -> None:
    add(hub)
    hub.box.git("rm", "-q", "model.bin.gitmlog")
    hub.box.commit("gone")
    hub.refuses("main", words=("model.bin: ",))


def test_a_directory_is_its_tree(hub: Hub) -> None:
    hub.box.write("data/a", "1")
    hub.box.write("data/b", "2")
    assert hub.box.here("add", "data").code == 0
    hub.box.commit()
    hub.refuses("main", words=("data: remote",))
    assert hub.box.here("push").code == 0
    hub.takes("main")


def test_a_blob_that_came_under_a_harmless_name_before(hub: Hub) -> None:
    hub.box.write("harmless.txt", text())
    hub.box.commit()
    hub.takes("main")
    hub.box.git("mv", "harmless.txt", "m.gitmlog")
    hub.box.commit()
    hub.refuses("main", words=("m: remote 'origin'",))


def test_a_listing_that_came_under_a_harmless_name_before(hub: Hub) -> None:
    """Only the trees above it are new when the folder is moved to where it counts."""
    made = make_run(hub.box, artifacts={"plot.png": b"picture"})
    folder = hub.box.git("rev-parse", f"{made.commit}:.gitmlog/runs").strip()
    head = hub.box.git("rev-parse", "HEAD").strip()
    harmless = commit(hub.box, tree(hub.box, ("40000", "harmless", folder)), head)
    hub.takes(f"{harmless}:refs/heads/harmless")
    moved = commit(hub.box, tree(hub.box, ("40000", ".gitmlog", tree(hub.box, ("40000", "runs", folder)))), harmless)
    hub.refuses(f"{moved}:refs/heads/harmless", words=(f".gitmlog/runs/{FIRST}/artifacts.toml: remote", "`gitmlog push --runs`"))


def test_artifacts_of_runs(hub: Hub) -> None:
    make_run(hub.box, artifacts={"plot.png": b"picture"})
    hub.refuses(f"run/{FIRST}", words=("artifacts.toml: remote 'origin'",))
    assert hub.box.here("push", "--runs").code == 0
    assert f"refs/tags/run/{FIRST}" in hub.refs()


def test_a_size_that_is_a_lie(hub: Hub) -> None:
    add(hub)
    assert hub.box.here("push").code == 0
    hub.takes("main")
    hub.box.write("lie.gitmlog", text(b"weights", 8))
    hub.box.commit()
    hub.refuses("main", words=("lie: remote 'origin' does not have", "of 8 bytes"))


def test_metafiles_that_cannot_be_read(hub: Hub) -> None:
    texts = (b"hello\n", b"version = 1\n[file]\npath = 'x'\n", b"version = 99\n", b"\xff", b"x" * (2 << 20))
    for number, data in enumerate(texts):
        hub.box.write(f"deep/m{number}.gitmlog", data)
    hub.box.commit()
    words = tuple(f"deep/m{number}.gitmlog cannot be read: " for number in range(len(texts)))
    hub.refuses("main", words=(*words, "git rebase -i"))


def test_a_listing_that_cannot_be_read(hub: Hub) -> None:
    hub.box.write(f".gitmlog/runs/{FIRST}/artifacts.toml", "version = 1\nnope = 1\n")
    hub.box.commit()
    hub.refuses("main", words=("artifacts.toml cannot be read", "nope"))


def test_what_was_there_before_keeps_nobody_out(hub: Hub) -> None:
    """The hook came later than a pointer to nothing, a damaged one and a hostile name."""
    (hub.path / "hooks/pre-receive").unlink()
    hub.box.write("old.gitmlog", text())
    hub.box.write("broken.gitmlog", "?")
    hub.box.commit()
    hub.takes("main")
    install(hub.path)
    hub.box.write("README", "more\n")
    hub.box.commit()
    hub.takes("main")
    hub.box.git("mv", "old.gitmlog", "new.gitmlog")
    hub.box.commit()
    hub.refuses("main", words=("new: remote 'origin'",))


def test_without_a_remote_the_administrator_is_told_how(sandbox: Sandbox, tmp_path: Path) -> None:
    hub = make_hub(sandbox, tmp_path, remote=False)
    add(hub)
    words = ("model.bin.gitmlog", "which remote to ask", "`gitmlog -C REPOSITORY config remote.origin.url URL`")
    hub.refuses("main", words=words)
    assert sandbox.here("config", "remote.origin.url", str(hub.store)).code == 0
    assert sandbox.here("push").code == 0
    assert sandbox.here("-C", str(hub.path), "config", "remote.origin.url", str(hub.store)).code == 0
    hub.takes("main")


def test_the_committed_remote_counts_from_the_push_after(sandbox: Sandbox, tmp_path: Path) -> None:
    hub = make_hub(sandbox, tmp_path, remote=False)
    assert sandbox.here("remote", "add", "origin", str(hub.store)).code == 0
    add(hub)
    assert sandbox.here("push").code == 0
    hub.refuses("main", words=("push the commit of `gitmlog remote add` first, alone",))
    hub.takes("main~1:main")
    hub.takes("main")
    (tmp_path / "mine").mkdir()
    sandbox.write(".gitmlog/config.toml", f'version = 1\n[remote.origin]\nurl = "{tmp_path / "mine"}"\n')
    add(hub, "other.bin", b"others")
    hub.refuses("main", words=("other.bin: remote 'origin' does not have",))
    sandbox.git("reset", "-q", "--hard", "HEAD~1")
    sandbox.write(".gitmlog/config.toml", f'version = 1\n[remote.origin]\nurl = "{tmp_path / "mine"}"\n')
    sandbox.commit("another remote")
    hub.takes("main")
    add(hub, "third.bin", b"third")
    hub.refuses("main", words=("the committed address of remote 'origin' changed", "`gitmlog -C REPOSITORY config"))


def test_a_remote_that_does_not_answer(hub: Hub) -> None:
    add(hub)
    assert hub.box.here("push").code == 0
    for key, value in (("url", "s3://models/demo"), ("endpoint", "http://127.0.0.1:9"), ("access_key", "a"), ("secret_key", "b")):
        assert hub.box.here("-C", str(hub.path), "config", f"remote.origin.{key}", value).code == 0
    hub.refuses("main", words=("origin", "cannot be reached", "push again later"))


def test_a_store_that_is_gone(hub: Hub) -> None:
    add(hub)
    assert hub.box.here("push").code == 0
    shutil.rmtree(hub.store)
    hub.refuses("main", words=("origin",))


def test_what_was_seen_is_not_asked_for_again(hub: Hub) -> None:
    add(hub)
    assert hub.box.here("push").code == 0
    hub.takes("main")
    shutil.rmtree(hub.store)
    hub.box.git("mv", "model.bin.gitmlog", "moved.gitmlog")
    hub.box.commit()
    hub.takes("main")
    with sqlite3.connect(hub.path / "gitmlog/pushed.db") as connection:
        assert connection.execute("SELECT count(*) FROM pushed").fetchone() == (1,)
    (hub.path / "gitmlog/pushed.db").write_bytes(b"damaged" * 1000)
    hub.box.git("mv", "moved.gitmlog", "again.gitmlog")
    hub.box.commit()
    hub.refuses("main", words=("origin",))


def test_a_broken_configuration_on_the_server(hub: Hub) -> None:
    (hub.path / "gitmlog/config.toml").write_text("nope = 1\n")
    hub.box.write("README", "more\n")
    hub.box.commit()
    hub.takes("main")
    add(hub)
    hub.refuses("main", words=("on this server", "nope: unknown key"))


def test_a_blob_that_a_tag_names(hub: Hub) -> None:
    """It is nobody's business: no path."""
    oid = blob(hub.box, text())
    git(hub.box, "tag", "a-blob", oid)
    git(hub.box, "tag", "-a", "-m", "x", "a-tree", hub.box.git("rev-parse", "HEAD^{tree}").strip())
    hub.takes("a-blob", "a-tree")


def test_a_tree_that_a_tag_names(hub: Hub) -> None:
    git(hub.box, "tag", "-a", "-m", "x", "a-tree", tree(hub.box, ("100644", "m.gitmlog", blob(hub.box, text()))))
    hub.refuses("a-tree", words=("m: remote 'origin'",))


def test_replaced_objects_are_not_looked_at(hub: Hub) -> None:
    """refs/replace on the server would show a good metafile instead."""
    add(hub)
    assert hub.box.here("push").code == 0
    good = hub.box.git("rev-parse", "HEAD").strip()
    hub.takes("main")
    bad = commit(hub.box, tree(hub.box, ("100644", "m.gitmlog", blob(hub.box, text()))), good)
    hub.takes(f"{good}:refs/replace/{bad}")
    hub.refuses(f"{bad}:refs/heads/x", words=("m: remote 'origin'",))
