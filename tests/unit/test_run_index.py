"""The index of runs: always what git's tags say, whatever became of the file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gitmlog.core.canonical_read import fast
from gitmlog.core.errors import DataError
from gitmlog.git.repository import GitRepo
from gitmlog.git.tags import read_tag, refs_below, refs_state
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.index import Index
from gitmlog.runs.index_schema import Entry
from gitmlog.runs.record import RunRecord
from gitmlog.runs.tags import ARCHIVE, PREFIX, format_tag
from tests.benchmarks.runs_list import import_tags, records
from tests.conftest import Sandbox
from tests.runs import git

PREFIXES = (PREFIX, ARCHIVE)
RUNS = list(records(6))


@pytest.fixture
def filled(sandbox: Sandbox) -> Sandbox:
    """A repository of six runs."""
    import_tags(sandbox.root, RUNS)
    return sandbox


def look(sandbox: Sandbox, live: Iterable[Entry] = ()) -> list[str]:
    """The ids in the index, newest first."""
    return [entry.record.id for entry in entries(sandbox, live)]


def entries(sandbox: Sandbox, live: Iterable[Entry] = ()) -> list[Entry]:
    ws = Workspace.open(sandbox.root)
    with closing(Index(ws.git, ws.home / "runs.db")) as index:
        return index.search(("1", ()), live=list(live))[0]


def problems(sandbox: Sandbox) -> list[str]:
    ws = Workspace.open(sandbox.root)
    with closing(Index(ws.git, ws.home / "runs.db")) as index:
        return index.problems()


def ids(runs: Iterable[RunRecord]) -> list[str]:
    return sorted((record.id for record in runs), reverse=True)


def database(sandbox: Sandbox) -> Path:
    return sandbox.root / ".git/gitmlog/runs.db"


def settle(sandbox: Sandbox) -> None:
    """Make the refs look an hour old, so that the index is taken to be current."""
    past = time.time() - 3600
    for name in ("refs/tags/run", "refs/gitmlog/runs", "packed-refs"):
        path = sandbox.root / ".git" / name
        if path.exists():
            os.utime(path, (past, past))


def object_of(sandbox: Sandbox, ref: str) -> str:
    return git(sandbox, "rev-parse", ref)


def tag_object(sandbox: Sandbox, record: RunRecord, **changes: str) -> str:
    """A tag object of any content, which git would not write so."""
    fields = {"object": object_of(sandbox, "refs/heads/run"), "type": "commit", "tag": record.tag, **changes}
    head = "".join(f"{key} {value}\n" for key, value in fields.items())
    data = f"{head}tagger Ada <ada@example.org> 1 +0000\n\n{format_tag(record)}".encode("utf-8", "surrogateescape")
    return git(sandbox, "hash-object", "-t", "tag", "-w", "--literally", "--stdin", data=data)


def test_the_records_are_those_of_the_tags(filled: Sandbox) -> None:
    found = entries(filled)
    assert [entry.record for entry in found] == sorted(RUNS, key=lambda record: record.id, reverse=True)
    for entry in found:
        assert entry.ref == PREFIX + entry.record.id and not entry.archived
        assert entry.tag_object == object_of(filled, entry.ref)
        assert entry.commit == object_of(filled, f"{entry.ref}^{{commit}}")
    assert entries(filled) == found
    assert fast(format_tag(RUNS[0]).partition("---\n")[2]) is not None


def test_only_new_tags_are_read(filled: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(look(filled)) == 6
    read: list[str] = []
    monkeypatch.setattr("gitmlog.runs.index.read_tag", lambda repo, ref, oid: read.append(ref) or read_tag(repo, ref, oid))
    more = list(records(8))
    import_tags(filled.root, more[6:])
    assert look(filled) == ids(more)
    assert sorted(read) == [record_ref(record) for record in more[6:]]
    git(filled, "tag", "-d", more[0].tag)
    assert look(filled) == ids(more[1:])
    assert len(read) == 2


def test_a_bad_tag_is_read_once_and_one_without_its_commit_again(filled: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, alone = (replace(RUNS[0], id=f"2026020{day}-000000-calm-heron") for day in (2, 3))
    git(filled, "update-ref", record_ref(bad), object_of(filled, record_ref(RUNS[0])))
    git(filled, "update-ref", record_ref(alone), tag_object(filled, alone, object="d" * 40))
    look(filled)
    said = problems(filled)
    read: list[str] = []
    monkeypatch.setattr("gitmlog.runs.index.read_tag", lambda repo, ref, oid: read.append(ref) or read_tag(repo, ref, oid))
    git(filled, "tag", "-d", RUNS[1].tag)
    assert problems(filled) == said and len(said) == 2
    assert set(read) == {record_ref(alone)}


def record_ref(record: RunRecord) -> str:
    return PREFIX + record.id


@pytest.mark.parametrize("packed", [True, False])
def test_a_settled_state_is_not_looked_at_again(filled: Sandbox, packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if packed:
        git(filled, "pack-refs", "--all")
    now = time.time_ns() + 10**10
    monkeypatch.setattr("gitmlog.git.tags.time.time_ns", lambda: now)
    before = look(filled)
    monkeypatch.setattr("gitmlog.runs.index.refs_below", lambda *arguments: pytest.fail("looked"))
    assert look(filled) == before
    monkeypatch.undo()
    git(filled, "tag", "-d", RUNS[0].tag)
    assert look(filled) == ids(RUNS[1:])


def test_packing_moving_and_deleting_lose_no_run(filled: Sandbox) -> None:
    before = look(filled)
    git(filled, "pack-refs", "--all")
    assert look(filled) == before
    first = RUNS[0]
    tag = object_of(filled, record_ref(first))
    git(filled, "update-ref", ARCHIVE + first.id, tag)
    git(filled, "update-ref", "-d", record_ref(first))
    found = {entry.record.id: entry for entry in entries(filled)}
    assert set(found) == set(before)
    assert (found[first.id].archived, found[first.id].ref) == (True, ARCHIVE + first.id)
    git(filled, "update-ref", record_ref(first), tag)
    assert {entry.record.id: entry for entry in entries(filled)}[first.id].archived  # git fetch brought the tag back
    git(filled, "update-ref", "-d", record_ref(first))
    git(filled, "update-ref", "-d", ARCHIVE + first.id)
    assert look(filled) == ids(RUNS[1:])


def test_a_changed_tag_is_reported_and_the_old_record_stays(filled: Sandbox) -> None:
    look(filled)
    changed = replace(RUNS[0], params={"lr": 99})
    old = object_of(filled, record_ref(RUNS[0]))
    git(filled, "update-ref", record_ref(RUNS[0]), tag_object(filled, changed))
    for _ in range(2):
        assert next(entry for entry in entries(filled) if entry.record.id == RUNS[0].id).record == RUNS[0]
        (problem,) = problems(filled)
        assert "run tags never change" in problem and old[:12] in problem
    git(filled, "update-ref", record_ref(RUNS[0]), old)
    assert problems(filled) == []


def test_one_id_with_two_tags_is_reported(filled: Sandbox) -> None:
    git(filled, "update-ref", ARCHIVE + RUNS[0].id, tag_object(filled, replace(RUNS[0], params={"lr": 99})))
    assert look(filled) == ids(RUNS)
    (problem,) = problems(filled)
    assert f"refs/gitmlog/runs/{RUNS[0].id}" in problem


@pytest.mark.parametrize(
    ("said", "make"),
    [
        ("no annotated tag but names a commit", lambda box, rec: object_of(box, "refs/heads/run")),
        ("points to a tree", lambda box, rec: tag_object(box, rec, object=object_of(box, "refs/heads/run^{tree}"), type="tree")),
        ("its commit dddddddddddd is not there", lambda box, rec: tag_object(box, rec, object="d" * 40)),
        ("it says that it is run/20260101-000000", lambda box, rec: tag_object(box, RUNS[0], tag=rec.tag)),
        ("it says that it is run/20260101-000000", lambda box, rec: object_of(box, record_ref(RUNS[0]))),
        ("not UTF-8", lambda box, rec: tag_object(box, rec, tag="run/\udcff")),
        (
            "no head that could be read",
            lambda box, rec: git(box, "hash-object", "-t", "tag", "-w", "--literally", "--stdin", data=b"x"),
        ),
        ("at most", lambda box, rec: tag_object(box, replace(rec, tags={"x": "y" * (1 << 21)}))),
        ("at most", lambda box, rec: tag_object(box, replace(rec, tags={"x": "y" * (1 << 20)}))),
    ],
)
def test_a_tag_that_breaks_a_rule_is_left_out_and_named(filled: Sandbox, said: str, make: object) -> None:
    other = replace(RUNS[0], id="20260202-000000-calm-heron")
    ref = filled.root / ".git" / record_ref(other)
    ref.write_text(make(filled, other) + "\n")  # type: ignore[operator]
    assert look(filled) == ids(RUNS)
    (problem,) = problems(filled)
    assert said in problem
    assert problem.isprintable()
    ref.unlink()
    assert problems(filled) == []


def test_names_that_are_no_ids_are_named_and_read_nowhere(filled: Sandbox) -> None:
    for name in ("mine", "20260101-000000-Swift-Otter", "ünï"):
        git(filled, "update-ref", PREFIX + name, object_of(filled, record_ref(RUNS[0])))
    folder = filled.root / ".git/refs/tags/run"
    (folder / "20260303-000000-empty-file").write_text("")
    (folder / "20260303-000000-odd-text").write_text("ref: refs/heads/main\n")
    (folder / "20260303-000000-half-id").write_text("abc")
    (folder / "20260303-000000-some-folder").mkdir()
    os.mkfifo(folder / "20260303-000000-some-pipe")
    (folder / "20260303-000000-held-ref.lock").write_text("")
    with open(os.fsencode(folder) + b"/x\xff\x1b[31m", "w") as odd:
        odd.write("d" * 40)
    assert look(filled) == ids(RUNS)
    found = problems(filled)
    assert len(found) == 8
    assert all(problem.isprintable() for problem in found)


def test_loose_and_packed_refs_are_read_as_git_reads_them(filled: Sandbox) -> None:
    git(filled, "pack-refs", "--all")
    import_tags(filled.root, list(records(8))[5:])
    listed = git(filled, "for-each-ref", "--format=%(refname) %(objectname)", PREFIX, ARCHIVE)
    assert refs_below(filled.root / ".git", PREFIXES) == dict(line.split(" ") for line in listed.splitlines())


def test_the_state_of_refs_changes_with_them(filled: Sandbox) -> None:
    common = filled.root / ".git"
    settle(filled)
    seen = [refs_state(common, PREFIXES).text]
    for command in (
        ["update-ref", ARCHIVE + RUNS[0].id, object_of(filled, record_ref(RUNS[0]))],
        ["update-ref", "-d", record_ref(RUNS[0])],
        ["pack-refs", "--all"],
        ["update-ref", "-d", ARCHIVE + RUNS[0].id],
    ):
        git(filled, *command)
        seen.append(refs_state(common, PREFIXES).text)
        assert not refs_state(common, PREFIXES).settled, "a change in the same tick would not show"
    assert len(set(seen)) == len(seen)


DAMAGE = {
    "text": lambda path: path.write_text("this is no database " * 500),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "zeros": lambda path: path.write_bytes(path.read_bytes()[:4096] + bytes(path.stat().st_size - 4096)),
    "tables of another": lambda path: change(path, "ALTER TABLE runs RENAME TO sprints"),
    "columns of another": lambda path: change(path, "ALTER TABLE words RENAME COLUMN num TO number"),
    "another version": lambda path: change(path, "PRAGMA user_version = 99"),
    "records that are none": lambda path: change(path, "UPDATE records SET json = '[1, 2'"),
    "records of another form": lambda path: change(path, "UPDATE records SET json = '{}'"),
    "records that are missing": lambda path: change(path, "DELETE FROM records"),
}


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_made_anew(filled: Sandbox, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns() + 10**10
    monkeypatch.setattr("gitmlog.git.tags.time.time_ns", lambda: now)
    before = entries(filled)
    DAMAGE[damage](database(filled))
    ws = Workspace.open(filled.root)
    with closing(Index(ws.git, ws.home / "runs.db")) as index:
        where = ("n IN (SELECT run FROM words WHERE num IS NOT NULL)", ())
        assert index.search(where)[0] == before
    with closing(sqlite3.connect(database(filled))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (6,)


@pytest.mark.parametrize("obstacle", ["folder", "file above"])
def test_where_nothing_can_be_written_it_lives_in_memory(filled: Sandbox, obstacle: str) -> None:
    database(filled).unlink(missing_ok=True)
    if obstacle == "folder":
        database(filled).mkdir(parents=True)
    else:
        shutil.rmtree(database(filled).parent)
        database(filled).parent.write_text("")
    assert look(filled) == ids(RUNS)


def test_one_that_nobody_may_write_is_read_as_it_is(filled: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns() + 10**10
    monkeypatch.setattr("gitmlog.git.tags.time.time_ns", lambda: now)
    before = look(filled)
    with closing(sqlite3.connect(database(filled), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # somebody else writes: reading goes on
        assert look(filled) == before


def test_a_newer_gitmlog_looks_again_at_what_was_refused(filled: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns() + 10**10
    monkeypatch.setattr("gitmlog.git.tags.time.time_ns", lambda: now)
    future = replace(RUNS[0], id="20260202-000000-calm-heron")
    data = f"object {object_of(filled, 'refs/heads/run')}\ntype commit\ntag {future.tag}\ntagger A <a> 1 +0000\n\n"
    data += format_tag(future).replace("version = 1", "version = 2")
    git(filled, "update-ref", record_ref(future), git(filled, "hash-object", "-t", "tag", "-w", "--stdin", data=data.encode()))
    look(filled)
    assert "is of version 2" in problems(filled)[0]
    monkeypatch.setattr("gitmlog.runs.index.READS", 2)
    monkeypatch.setattr("gitmlog.runs.reader.VERSION", 2)
    assert future.id in look(filled)
    assert problems(filled) == []


CHILD = """
import sys
from pathlib import Path
from gitmlog.ops.runs.find import search
from gitmlog.repo.workspace import Workspace
sys.stdin.readline()
found = search(Workspace.open(Path(sys.argv[1])))
print(len(found.runs), found.total, *found.notes)
"""


def test_many_processes_bring_it_up_to_date_at_once(sandbox: Sandbox) -> None:
    import_tags(sandbox.root, records(300))
    command = [sys.executable, "-W", "error", "-c", CHILD, str(sandbox.root)]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    assert {child.communicate()[0] for child in children} == {"300 300\n"}
    assert sorted(path.name for path in database(sandbox).parent.glob("runs.db*")) == ["runs.db"]


def test_every_worktree_sees_the_same_runs(filled: Sandbox) -> None:
    git(filled, "worktree", "add", "-q", "--detach", "../other", "refs/heads/run")
    other = Workspace.open(filled.root.parent / "other")
    with closing(Index(other.git, other.home / "runs.db")) as index:
        assert len(index.names()) == 6
    assert other.home == filled.root / ".git/gitmlog"
    assert other.home.joinpath("runs.db").is_file()


def test_no_run_at_all(sandbox: Sandbox) -> None:
    assert look(sandbox) == []
    assert problems(sandbox) == []


def test_a_run_that_goes_on_is_left_out_when_it_is_recorded(filled: Sandbox) -> None:
    going = replace(RUNS[0], status="RUNNING", ended=None)
    fresh = replace(going, id="20270101-000000-calm-heron", started=RUNS[-1].ended)
    found = entries(filled, [Entry(going), Entry(fresh)])
    assert [entry.record.id for entry in found] == [fresh.id, *ids(RUNS)]
    assert [entry.record.status for entry in found].count("RUNNING") == 1
    assert look(filled) == ids(RUNS)


def test_reading_one_tag_says_what_is_wrong(filled: Sandbox) -> None:
    repo = GitRepo.discover(filled.root)
    tag = read_tag(repo, record_ref(RUNS[0]), object_of(filled, record_ref(RUNS[0])))
    assert (tag.name, tag.target) == (RUNS[0].tag, object_of(filled, f"{record_ref(RUNS[0])}^{{}}"))
    for oid in ("", "zz", "e" * 40):
        with pytest.raises(DataError) as caught:
            read_tag(repo, record_ref(RUNS[0]), oid)
        assert caught.value.kind == "bad-run" and caught.value.hint
