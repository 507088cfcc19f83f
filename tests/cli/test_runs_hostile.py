"""Runs that somebody else made: pushed tags and handed-over folders may say anything, and break no command."""

from __future__ import annotations

import pytest

from gitmlog.runs.record import RunRecord
from tests.conftest import Sandbox
from tests.runs import FIRST, git, make_run

BAD = "20260202-000000-bad-fox"


@pytest.fixture
def repo(sandbox: Sandbox) -> Sandbox:
    """One commit, one good run."""
    sandbox.write("train.py", "print(1)\n")
    sandbox.commit("first")
    make_run(sandbox, params={"lr": 0.1}, metrics={"acc": [(0, 0.5)]})
    return sandbox


def push_tag(box: Sandbox, old: str, new: str) -> None:
    """A tag beside the good one, whose text says `new` where that says `old`."""
    text = git(box, "cat-file", "tag", f"refs/tags/run/{FIRST}") + "\n"
    assert old in text
    text = text.replace(FIRST, BAD).replace(old, new)
    oid = git(box, "hash-object", "-t", "tag", "-w", "--stdin", data=text.encode())
    git(box, "update-ref", f"refs/tags/run/{BAD}", oid)


HUGE = "9" * 400
LONG = "1" + "0" * 4000


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("started = 2026-01-01T00:00:00.000000Z", "started = 0001-01-01T00:00:00+01:00"),
        ("ended = 2026-01-01T00:00:12.500000Z", "ended = 9999-12-31T23:59:59-01:00"),
        ("seconds = 12.5", f"seconds = {HUGE}"),
        ("seconds = 12.5", f"seconds = {LONG}"),
        ("seconds = 12.5", "seconds = nan"),
        ("seconds = 12.5", "seconds = inf"),
        ("seconds = 12.5", "seconds = -1.0"),
        ("last = 0.5", f"last = {HUGE}"),
        ("lr = 0.1", f"lr = {LONG}"),
        ("lr = 0.1", f"lr = {'9' * 5000}"),
        ("lr = 0.1", f"lr = [1, {LONG}]"),
        ("lr = 0.1", f"lr = {1 << 63}"),
        ("exit = 0", f"exit = {LONG}"),
    ],
)
def test_one_bad_tag_is_told_and_all_else_is_listed(repo: Sandbox, old: str, new: str) -> None:
    push_tag(repo, old, new)
    for command in (["runs", "list"], ["runs", "show", "last"], ["runs", "list", "--where", "seconds > 0"]):
        done = repo.here(*command)
        assert done.code == 0, done
        assert "swift-otter" in done.out
        assert "Traceback" not in done.err
    done = repo.here("runs", "list")
    assert BAD in done.err
    assert "bad-fox" not in done.out
    assert max(map(len, done.err.splitlines())) < 400


def test_whatever_a_tag_does_to_the_index_is_that_tags_problem(repo: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no rule of the reader has thought of."""
    from gitmlog.runs import index, index_schema

    push_tag(repo, "lr = 0.1", "lr = 0.25")
    read, word = index.parse_tag, index_schema.word

    def refuse(message: str, name: str) -> RunRecord:
        if BAD in name:
            raise OverflowError("a value that nobody has thought of")
        return read(message, name)

    with monkeypatch.context() as patched:
        patched.setattr(index, "parse_tag", refuse)
        done = repo.here("runs", "list")
        assert (done.code, "OverflowError" in done.err, "swift-otter" in done.out) == (0, True, True), done
    (repo.root / ".git/gitmlog/runs.db").unlink()

    def refuse_value(value: object) -> object:
        if value == 0.25:
            raise OverflowError("a value that has no room")
        return word(value)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(index_schema, "word", refuse_value)
        done = repo.here("runs", "list")
        assert (done.code, "has no room" in done.err, "swift-otter" in done.out) == (0, True, True), done


# Arguments


NOT_UTF8 = "bad\udcffname"


@pytest.mark.parametrize(
    "command",
    [
        ["show"],
        ["accept"],
        ["archive"],
        ["compare"],
        ["log"],
        ["rm"],
        ["recover"],
        ["artifacts"],
        ["export", "-o", "x.csv"],
        ["diff", "last"],
    ],
)
def test_a_name_that_is_not_utf8_is_no_run(repo: Sandbox, command: list[str]) -> None:
    error = repo.fails("runs", *command, NOT_UTF8, code=3, kind="no-run")
    assert error["message"].isprintable()
    for spec in (f"{NOT_UTF8}~1", f"run/{NOT_UTF8}"):
        assert repo.here("runs", *command, spec).code == 3


@pytest.mark.parametrize("option", ["--where", "--sort", "--columns"])
@pytest.mark.parametrize("query", [NOT_UTF8, f"params.{NOT_UTF8}", f"tags.x = '{NOT_UTF8}'", f"name ~ '{NOT_UTF8}'"])
def test_a_query_that_is_not_utf8_is_a_bad_query(repo: Sandbox, option: str, query: str) -> None:
    before = repo.here("runs", "list").out
    index = (repo.root / ".git/gitmlog/runs.db").stat().st_ino
    error = repo.fails("runs", "list", option, query, code=2, kind="bad-query")
    assert error["message"].isprintable()
    assert (repo.here("runs", "list").out, (repo.root / ".git/gitmlog/runs.db").stat().st_ino) == (before, index)


def test_a_metric_that_is_not_utf8_is_plotted_by_no_one(repo: Sandbox) -> None:
    assert repo.fails("runs", "plot", NOT_UTF8, code=2, kind="bad-query")["message"].isprintable()
    assert repo.fails("runs", "plot", "acc", NOT_UTF8, code=3, kind="no-run")["message"].isprintable()


def test_many_unknown_names_are_a_few_notes(repo: Sandbox) -> None:
    for words in (
        ["--where", " or ".join(f"params.x{number} = 1" for number in range(200))],
        ["--sort", ",".join(f"metrics.x{number}" for number in range(200))],
        ["--where", f"parent in ({', '.join(f'x{number}' for number in range(150))})"],
    ):
        done = repo.here("runs", "list", *words)
        assert done.code == 0, done
        notes = [line for line in done.err.splitlines() if line.startswith("note: ")]
        assert len(notes) == 6, notes
        assert "and " in notes[-1] and "more" in notes[-1]
