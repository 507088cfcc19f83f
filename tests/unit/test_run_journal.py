"""Journals, and what they are folded into."""

from __future__ import annotations

import itertools
import math
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitmlog.runs.fold import Folded, fold, same_value
from gitmlog.runs.journal import BATCH, Journal, read_journals
from gitmlog.runs.names import new_id, start_time, words
from gitmlog.runs.record import is_run_id

OID = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
OTHER = "d74981efa70a0c880b8d8c1985d075dbcbf679b99a5f9914e5aaf96b831a9e24"


def never(error: OSError) -> None:
    raise error


def folded(*events: list[object]) -> Folded:
    return fold([list(events)])


def test_what_is_written_is_read_in_the_order_of_the_calls(tmp_path: Path) -> None:
    journal = Journal(tmp_path, never)
    journal.pending.append(("loss", 1.5, None, 10.0))
    journal.write("param", "lr", 0.1)
    journal.pending.append(("loss", math.nan, 7, 11.0))
    journal.flush()
    (events,) = read_journals(tmp_path)
    assert events[0] == ["metrics", [["loss", 1.5, None, 10.0]]]
    assert events[1][:3] == ["param", "lr", 0.1]
    assert math.isnan(events[2][1][0][1])


def test_a_file_is_made_with_the_first_line_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path, never)
    journal.flush()
    journal.sync()
    assert list(tmp_path.iterdir()) == []


def test_many_values_are_cut_into_lines(tmp_path: Path) -> None:
    journal = Journal(tmp_path, never)
    journal.pending.extend(("m", float(index), None, 0.0) for index in range(BATCH * 2 + 1))
    journal.flush()
    (events,) = read_journals(tmp_path)
    assert [len(event[1]) for event in events] == [BATCH, BATCH, 1]


def test_cut_lines_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "journal-1-a.jsonl").write_bytes(b'["param","a",1]\n["param","b"\n[]\n7\n\xff\n["param","c",3]\n["param","d",')
    assert fold(read_journals(tmp_path)).params == {"a": 1, "c": 3}


def test_hostile_nesting_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "journal-1-a.jsonl").write_bytes(b"[" * 200_000 + b'\n["param","a",1]\n')
    assert fold(read_journals(tmp_path)).params == {"a": 1}


def test_a_full_disk_is_told_once_and_tried_again(tmp_path: Path) -> None:
    told: list[OSError] = []
    folder = tmp_path / "not there yet"
    journal = Journal(folder, told.append)
    journal.write("param", "a", 1)
    journal.write("param", "b", 2)
    assert len(told) == 1
    with pytest.raises(OSError, match="journal"):
        journal.sync()
    folder.mkdir()
    journal.sync()
    assert fold(read_journals(folder)).params == {"a": 1, "b": 2}


def test_a_torn_line_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes half a line: what comes later is on a line of its own."""
    journal = Journal(tmp_path, lambda _: None)
    journal.write("param", "a", 1)
    real, budget = os.write, [5]

    def write(fd: int, data: bytes) -> int:
        if budget[0] <= 0:
            raise OSError(28, "No space left on device")
        done = real(fd, bytes(data)[: budget[0]])
        budget[0] -= done
        return done

    monkeypatch.setattr(os, "write", write)
    journal.write("param", "b", 2)
    budget[0] = 10_000
    journal.write("param", "c", 3)
    assert fold(read_journals(tmp_path)).params == {"a": 1, "b": 2, "c": 3}


def test_a_fork_begins_a_file_of_its_own(tmp_path: Path) -> None:
    journal = Journal(tmp_path, never)
    journal.write("param", "a", 1)
    journal.pending.append(("m", 1.0, None, 1.0))
    pid = os.fork()
    if pid == 0:
        journal.forked()
        journal.write("param", "b", 2)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    journal.flush()
    found = fold(read_journals(tmp_path))
    assert found.params == {"a": 1, "b": 2}
    assert [point.value for point in found.histories["m"]] == [1.0]
    assert len(list(tmp_path.iterdir())) == 2


def test_steps_that_are_not_given_count_on() -> None:
    found = folded(["metrics", [["m", 1.0, None, 1], ["m", 2.0, 10, 2], ["m", 3.0, None, 3], ["k", 0.5, None, 4]]])
    assert [point.step for point in found.histories["m"]] == [0, 10, 11]
    assert [point.step for point in found.histories["k"]] == [0]
    assert found.last == 4


def test_metrics_of_several_processes_are_ordered_by_time() -> None:
    found = fold([[["metrics", [["m", 1.0, None, 1.0], ["m", 3.0, None, 3.0]]]], [["metrics", [["m", 2.0, None, 2.0]]]]])
    assert [point.value for point in found.histories["m"]] == [1.0, 2.0, 3.0]


def test_facts_of_a_metric_leave_nan_out_unless_there_is_nothing_else() -> None:
    found = folded(["metrics", [["m", 2.0, None, 1], ["m", math.nan, None, 1], ["m", -math.inf, None, 1], ["n", math.nan, 3, 1]]])
    assert found.metrics["m"].min == -math.inf
    assert found.metrics["m"].max == 2.0
    assert found.metrics["m"].count == 3
    assert math.isnan(found.metrics["n"].min)
    assert math.isnan(found.metrics["n"].last)


def test_a_parameter_keeps_its_first_value_and_the_other_is_told() -> None:
    found = fold([[["param", "lr", 0.1]], [["param", "lr", 0.2]], [["param", "lr", 0.1]]])
    assert found.params == {"lr": 0.1}
    assert len(found.warnings) == 1
    assert "0.2" in found.warnings[0]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (1, 1, True),
        (1, 1.0, False),
        (True, 1, False),
        (math.nan, math.nan, True),
        ((1, math.nan), (1, math.nan), True),
        ("1", 1, False),
    ],
)
def test_values_of_parameters_are_compared_with_their_types(first: object, second: object, same: bool) -> None:
    assert same_value(first, second) is same


def test_artifacts_and_outputs_are_versioned() -> None:
    found = folded(
        ["artifact", "plot.png", OID, 3, None, 1.0],
        ["artifact", "plot.png", OTHER, 4, None, 2.0],
        ["output", "model.pt", {"blake3": OID, "size": 3}, 3.0],
        ["output", "model.pt", {"blake3": OID, "size": 3}, 4.0],
        ["output", "model.pt", {"blake3": OTHER, "size": 4}, 5.0],
    )
    assert [(each.path, each.version, each.size) for each in found.artifacts] == [("plot.png", 1, 3), ("plot.png", 2, 4)]
    assert [(each.path, each.version, each.blake3) for each in found.replaced] == [("model.pt", 1, OID)]
    assert found.outputs["model.pt"].blake3 == OTHER


@pytest.mark.parametrize(
    "event",
    [
        ["nothing-known", 1],
        ["param"],
        ["metrics", 7],
        ["metrics", [["m", "x", None, 1]]],
        ["output", "p", {"size": "x"}, 1],
        ["end", "X"],
    ],
)
def test_what_does_not_have_its_form_is_a_warning(event: list[object]) -> None:
    assert len(folded(event).warnings) == 1


def test_ids_have_their_form_and_their_words() -> None:
    made = {new_id(datetime(2026, 11, 23, 9, 15, 2, tzinfo=UTC)) for _ in range(50)}
    assert len(made) > 40
    for run_id in made:
        assert is_run_id(run_id)
        assert run_id.startswith("20261123-091502-")
        assert words(run_id).count("-") == 1


def test_no_run_starts_before_the_newest() -> None:
    now = datetime(2026, 11, 23, 9, 15, 2, tzinfo=UTC)
    assert start_time(now, None) == (now, False)
    assert start_time(now, now - timedelta(days=1)) == (now, False)
    assert start_time(now, now) == (now + timedelta(microseconds=1), False)
    started, jumped = start_time(now, now + timedelta(hours=1))
    assert started > now + timedelta(hours=1)
    assert jumped


def test_lines_of_several_processes_are_taken_in_the_order_of_their_times() -> None:
    first = [["tag", "best", "old", 10.0], ["artifact", "a", OID, 3, None, 11.0], ["tag", "late", "one", 30.0]]
    second = [["tag", "best", "new", 20.0], ["artifact", "a", OTHER, 4, None, 21.0]]
    for journals in ([first, second], [second, first]):
        found = fold(journals)
        assert found.tags == {"best": "new", "late": "one"}
        assert [(each.version, each.blake3) for each in found.artifacts] == [(1, OID), (2, OTHER)]


def test_lines_of_one_process_stay_in_their_order_whatever_its_clock_did() -> None:
    found = fold([[["tag", "a", "first", 50.0], ["tag", "a", "second", 40.0]], [["tag", "b", "x", 45.0]]])
    assert found.tags == {"a": "second", "b": "x"}


def test_the_end_of_a_run_that_was_resumed_does_not_count() -> None:
    found = folded(["end", "FINISHED", None, 2.0, 10.0], ["resume", 11.0], ["tag", "a", "b", 12.0])
    assert found.end is None


def test_logging_in_a_signal_handler_in_the_midst_of_logging(tmp_path: Path) -> None:
    journal = Journal(tmp_path, never)
    numbers, logged = itertools.count(), []

    def handle(*_: object) -> None:  # itself interrupted now and then
        number = next(numbers)
        journal.pending.append(("m", 1.0, None, 1.0))
        journal.write("param", f"p{number}", number)
        logged.append(number)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        end = time.monotonic() + 0.5
        written = 0
        while time.monotonic() < end:
            journal.write("tag", f"t{written}", "x")
            written += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    journal.sync()
    found = fold(read_journals(tmp_path))
    assert (len(found.tags), len(found.params), len(found.histories["m"])) == (written, len(logged), len(logged))
    assert found.warnings == []
    assert len(logged) > 10
