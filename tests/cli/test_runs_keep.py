"""runs archive and rm; what runs need is reachable for gc, verify, push and fetch."""

from __future__ import annotations

import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitmlog.core.digest import ObjectId, hash_bytes
from gitmlog.core.errors import GitError
from gitmlog.git.identity import identity
from gitmlog.git.refs import RefChange, change_refs
from gitmlog.git.repository import GitRepo
from gitmlog.metafile.tree import TreeEntry, format_tree
from gitmlog.ops.reach import find_reachable
from gitmlog.runs.artifacts import Artifact, Artifacts, format_artifacts
from gitmlog.store.cache import Cache
from tests.conftest import Sandbox
from tests.runs import FIRST, make_run

SECOND = "20260102-000000-calm-fox"
THIRD = "20260103-000000-bold-owl"


@pytest.fixture
def base(sandbox: Sandbox) -> Sandbox:
    sandbox.write("train.py", "print(1)\n")
    sandbox.commit("first")
    return sandbox


def cache(sandbox: Sandbox) -> Cache:
    return Cache(sandbox.root / ".git/gitmlog/cache")


def put(sandbox: Sandbox, data: bytes) -> ObjectId:
    with cache(sandbox).writing() as writer:
        return writer.put(data)


def collect(sandbox: Sandbox) -> None:
    assert sandbox.here("gc", "--prune", "--unpushed", "--grace", "0").code == 0


def refs(sandbox: Sandbox, prefix: str) -> dict[str, str]:
    lines = sandbox.git("for-each-ref", "--format=%(refname) %(objectname)", prefix).splitlines()
    return dict(line.split() for line in lines)


# Archive


def test_archive_moves_the_same_tag_and_back(base: Sandbox) -> None:
    made, _ = make_run(base), make_run(base, SECOND)
    done = base.here("runs", "archive", FIRST)
    assert done.code == 0, done
    assert done.out == "1 run archived\n"
    assert refs(base, "refs/gitmlog/runs") == {f"refs/gitmlog/runs/{FIRST}": made.tag_object}
    assert base.git("tag", "-l", "run/*").split() == [f"run/{SECOND}"]
    assert "archived already" in base.here("runs", "archive", FIRST).out
    assert base.here("runs", "archive", "--undo", FIRST).code == 0
    assert refs(base, "refs/tags/run")[f"refs/tags/run/{FIRST}"] == made.tag_object
    assert refs(base, "refs/gitmlog/runs") == {}


def test_archive_by_age_and_condition(base: Sandbox) -> None:
    young = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-bold-owl"
    make_run(base, FIRST, params={"lr": 0.1})
    make_run(base, SECOND, params={"lr": 0.2})
    make_run(base, young, params={"lr": 0.2})
    would = json.loads(base.here("runs", "archive", "--older-than", "1d", "--dry-run", "--json").out)
    assert would == {"runs": [FIRST, SECOND], "already": 0, "undone": False, "dry_run": True, "published": 0}
    assert refs(base, "refs/gitmlog/runs") == {}
    base.ok("runs", "archive", "--older-than", "1d", "--where", "params.lr = 0.2")
    assert list(refs(base, "refs/gitmlog/runs")) == [f"refs/gitmlog/runs/{SECOND}"]


def test_archive_of_packed_refs(base: Sandbox) -> None:
    made = make_run(base)
    base.git("pack-refs", "--all")
    base.ok("runs", "archive", "last")
    base.git("pack-refs", "--all")
    assert refs(base, "refs/tags/run") == {}
    assert refs(base, "refs/gitmlog/runs") == {f"refs/gitmlog/runs/{FIRST}": made.tag_object}
    assert base.run("git", "fsck", "--no-dangling", check=True).out == ""


def test_archive_refuses_another_tag_at_the_place(base: Sandbox) -> None:
    make_run(base)
    base.git("update-ref", f"refs/gitmlog/runs/{FIRST}", "HEAD")
    base.fails("runs", "archive", FIRST, code=6, kind="tag-differs")
    assert list(refs(base, "refs/tags/run")) == [f"refs/tags/run/{FIRST}"]


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ((), "usage"),
        ((FIRST, "--older-than", "1d"), "usage"),
        (("--older-than", "soon"), "bad-value"),
        (("--where", "&"), "bad-query"),
    ],
)
def test_archive_wants_to_know_which(base: Sandbox, arguments: tuple[str, ...], kind: str) -> None:
    make_run(base)
    base.fails("runs", "archive", *arguments, code=2, kind=kind)


def test_a_tag_that_another_git_holds_is_not_moved(base: Sandbox) -> None:
    make_run(base)
    (base.root / f".git/refs/tags/run/{FIRST}.lock").write_text("")
    error = base.fails("runs", "archive", FIRST, code=1, kind="ref-locked")
    assert f"{FIRST}.lock" in error["message"]
    assert refs(base, "refs/gitmlog/runs") == {}


def test_refs_move_only_from_the_value_that_was_seen(base: Sandbox) -> None:
    made, repo = make_run(base), GitRepo.discover(base.root)
    head = base.git("rev-parse", "HEAD").strip()
    tag = f"refs/tags/run/{FIRST}"
    lost = [RefChange("refs/x/new", head, None), RefChange(tag, None, head)]
    with pytest.raises(GitError) as raised:
        change_refs(repo, lost)
    assert raised.value.kind == "ref-changed"
    assert refs(base, "refs/x") == {}
    change_refs(repo, [RefChange("refs/x/new", head, None), RefChange(tag, None, made.tag_object)])
    assert list(refs(base, "refs/x")) == ["refs/x/new"]
    for bad in (RefChange("--stdin", head, None), RefChange("refs/x/a\nb", head, None), RefChange("refs/x/a", "HEAD", None)):
        with pytest.raises(ValueError, match="no ref"):
            change_refs(repo, [bad])


# Rm


def test_rm_says_how_to_bring_it_back(base: Sandbox) -> None:
    made = make_run(base)
    make_run(base, SECOND)
    done = base.here("runs", "rm", FIRST, SECOND)
    assert done.code == 0, done
    assert refs(base, "refs/tags/run") == {}
    command = done.out.splitlines()[1].strip()
    assert command == f"git update-ref refs/tags/run/{FIRST} {made.tag_object}"
    assert "gc" in done.err
    base.git(*command.split()[1:])
    assert base.here("runs", "accept", FIRST).code == 0


def test_rm_of_an_accepted_run_loses_nothing(base: Sandbox) -> None:
    make_run(base)
    base.ok("runs", "accept", FIRST)
    done = base.here("runs", "rm", FIRST)
    assert "nothing else goes" in done.err


def test_rm_takes_the_archived_tag_too_and_all_or_none(base: Sandbox) -> None:
    make_run(base)
    base.ok("runs", "archive", FIRST)
    base.fails("runs", "rm", FIRST, "nonsense", code=3, kind="no-run")
    assert refs(base, "refs/gitmlog/runs")
    assert json.loads(base.here("runs", "rm", FIRST, "--json").out)[0]["undo"].split()[2] == f"refs/gitmlog/runs/{FIRST}"
    assert refs(base, "refs/gitmlog/runs") == {}


def test_rm_of_a_name_that_two_runs_have(base: Sandbox) -> None:
    make_run(base, name="same")
    make_run(base, SECOND, name="same")
    base.fails("runs", "rm", "same", code=2, kind="ambiguous-run")


def test_rm_with_force_says_less(base: Sandbox) -> None:
    make_run(base)
    assert base.here("runs", "rm", "-f", FIRST).err == ""


# Reachable


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ref", [None, f"refs/gitmlog/runs/{FIRST}", f"refs/gitmlog/live/{FIRST}"])
def test_gc_keeps_what_a_run_lists(base: Sandbox, ref: str | None, packed: bool) -> None:
    make_run(base, artifacts={"plot.png": [b"one", b"two"]}, outputs={"model.pt": b"weights"}, log=b"said", ref=ref)
    gone = put(base, b"nobody's")
    if packed:
        base.git("pack-refs", "--all")
    collect(base)
    for data in (b"one", b"two", b"weights", b"said"):
        assert cache(base).has(hash_bytes(data)), data
    assert not cache(base).has(gone)


def test_gc_takes_what_a_removed_run_had(base: Sandbox) -> None:
    make_run(base, artifacts={"plot.png": b"one"})
    base.ok("runs", "rm", FIRST)
    collect(base)
    assert not cache(base).has(hash_bytes(b"one"))


def listing(sandbox: Sandbox, text: bytes) -> None:
    """A commit that a run's listing of these bytes is in."""
    file = sandbox.root / f".gitmlog/runs/{FIRST}/artifacts.toml"
    file.parent.mkdir(parents=True)
    file.write_bytes(text)
    sandbox.commit("listing")


def test_an_artifact_that_is_a_directory_reaches_its_files(base: Sandbox) -> None:
    inner = put(base, b"inner")
    tree = put(base, format_tree([TreeEntry("a", "-", inner, 5)]))
    listing(base, format_artifacts(Artifacts((Artifact("folder", 1, tree, 5, 1),))))
    collect(base)
    assert cache(base).has(inner)
    assert cache(base).has(tree)


@pytest.mark.parametrize("text", ['version = 1\nwhat = "%s"\n', "<<<<<<<\n%s\n", "\xff%s"])
def test_a_listing_that_cannot_be_read_reaches_every_id_in_it(base: Sandbox, text: str) -> None:
    inner = put(base, b"inner")
    tree = put(base, format_tree([TreeEntry("a", "-", inner, 5)]))
    listing(base, (text % tree).encode("latin-1"))
    collect(base)
    assert cache(base).has(inner)


def test_gc_keeps_what_a_run_under_way_names(base: Sandbox) -> None:
    inner = put(base, b"inner")
    tree, plain = put(base, format_tree([TreeEntry("a", "-", inner, 5)])), put(base, b"plain")
    folder = base.root / f".git/gitmlog/runs/{FIRST}"
    folder.mkdir(parents=True)
    padding = "x" * ((8 << 20) - 30)  # the id lies across the end of the first piece that is read
    (folder / "journal-1-a.jsonl").write_text(f'["artifact", "a", "{tree}", 1, 1, 0.0]\n')
    (folder / "journal-2-b.jsonl").write_text(f"{padding}{plain}\n")
    collect(base)
    for oid in (inner, tree, plain):
        assert cache(base).has(oid)
    shutil.rmtree(folder)
    collect(base)
    assert not cache(base).has(plain)


def test_verify_all_reads_what_runs_list(base: Sandbox) -> None:
    make_run(base, artifacts={"plot.png": b"one"})
    file = Path(cache(base).name_of(hash_bytes(b"one")))
    file.chmod(0o644)
    file.unlink()
    found = json.loads(base.here("verify", "--all", "--json").out)
    assert [problem["paths"] for problem in found["problems"]] == [[f".gitmlog/runs/{FIRST}/plot.png"]]


def test_an_accepted_run_is_pushed_with_its_branch(base: Sandbox, tmp_path: Path) -> None:
    make_run(base, artifacts={"plot.png": b"one"})
    base.ok("runs", "accept", FIRST)
    base.ok("remote", "add", "origin", f"file://{tmp_path}/bucket")
    base.ok("push")
    shutil.rmtree(base.root / ".git/gitmlog/cache")
    base.ok("fetch", "--all")
    assert cache(base).has(hash_bytes(b"one"))


@pytest.mark.long
def test_gc_over_many_runs_is_quick(base: Sandbox) -> None:
    """2,000 runs, each with a commit, a tag and a listing of its own over one tree of 300 files."""
    many_runs(base, 2000)
    started = time.monotonic()
    reach = find_reachable(cache(base), [GitRepo.discover(base.root)])
    assert len(reach.oids) == 4000
    assert time.monotonic() - started < 10


def many_runs(sandbox: Sandbox, count: int) -> None:
    """As a stream for git fast-import."""
    lines = ["blob\nmark :1\ndata 1\nx\n"]
    lines.append("commit refs/heads/base\ncommitter A <a@b.c> 1 +0000\ndata 1\nb\n")
    lines += [f"M 100644 :1 src/m{number % 20}/f{number}.py\n" for number in range(300)]
    for number in range(count):
        run = f"20260101-{number:06d}-swift-otter"
        artifacts = (Artifact("a", 1, hash_bytes(b"a%d" % number), 2), Artifact("b", 1, hash_bytes(b"b%d" % number), 2))
        text = format_artifacts(Artifacts(artifacts)).decode()
        lines.append(f"commit refs/tags/run/{run}\ncommitter A <a@b.c> 1 +0000\ndata 1\nc\nfrom refs/heads/base\n")
        lines.append(f"M 100644 inline .gitmlog/runs/{run}/artifacts.toml\ndata {len(text)}\n{text}\n")
    file = sandbox.root / ".git/stream"
    file.write_text("".join(lines))
    sandbox.run("sh", "-c", "git fast-import --quiet < .git/stream", check=True)


# Identity


def test_who_commits(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = GitRepo.discover(sandbox.root)
    assert (identity(repo).name, identity(repo).email, identity(repo).fallback) == ("Ada", "ada@example.org", False)
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(name)
    monkeypatch.delenv("EMAIL", raising=False)
    nobody = identity(repo)
    assert nobody.fallback
    assert "@" in nobody.email
    sandbox.git("config", "user.name", "Bo <b>\n")
    sandbox.git("config", "user.email", "bo@example.org")
    bo = identity(GitRepo.discover(sandbox.root))
    assert (bo.name, bo.email, bo.fallback) == ("Bo b", "bo@example.org", False)


def test_accepting_a_merge_without_an_identity(base: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(base, files={"new.py": "1"})
    base.write("README", "words")
    base.commit("more")
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(name)
    base.git("config", "user.useConfigOnly", "true")
    assert base.here("runs", "accept", FIRST).code == 0
    assert "@" in base.git("log", "-1", "--format=%ae")
