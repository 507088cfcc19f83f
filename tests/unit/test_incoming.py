"""Entries of git's trees, as anybody may have made them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gitmlog.core.paths import component_problem, git_name_problem
from gitmlog.git.incoming import Entry, has_twins, read_entry, split_tree
from gitmlog.ops.server.trees import _PLAIN, entry_problem

MODES = st.sampled_from([0o100644, 0o100755, 0o40000, 0o120000, 0o160000, 0o100664])
PARTS = st.sampled_from([".", "git", "GIT", "~1", "\u200c", ":", " ", "\\", "/", "a", "é", "日", ".gitmlog", "\udcff"])
NAMES = st.lists(PARTS, min_size=1, max_size=5).map("".join) | st.text(
    st.characters(exclude_characters="\0", codec="utf-8"), min_size=1
)
ENTRIES = st.builds(Entry, MODES, NAMES, st.binary(min_size=20, max_size=20).map(bytes.hex))


def raw(entry: Entry) -> bytes:
    return f"{entry.mode:o} ".encode() + entry.name.encode("utf-8", "surrogateescape") + b"\0" + bytes.fromhex(entry.oid)


@given(st.lists(ENTRIES, max_size=20, unique_by=lambda entry: entry.name))
def test_a_tree_is_split_into_what_it_was_made_of(entries: list[Entry]) -> None:
    found = split_tree(b"".join(map(raw, entries)))
    assert found == list(map(raw, entries))
    assert list(map(read_entry, found)) == entries
    assert not has_twins(b"".join(found))


@given(ENTRIES, ENTRIES)
def test_two_of_one_name_are_found(one: Entry, other: Entry) -> None:
    assert has_twins(raw(one) + raw(replace(other, name=one.name)))


@given(st.binary(max_size=200))
def test_any_bytes_are_split_or_refused(data: bytes) -> None:
    found = split_tree(data)
    assert found is None or b"".join(found) == data


@given(ENTRIES)
def test_what_is_passed_at_a_glance_has_no_problem(entry: Entry) -> None:
    if _PLAIN.fullmatch(raw(entry)) and not entry.name.endswith(".gitmlog"):
        assert entry_problem(entry, entry.name) == ""


@given(NAMES)
def test_what_may_be_tracked_may_be_in_a_tree(name: str) -> None:
    if not component_problem(name):
        assert git_name_problem(name) == ""
