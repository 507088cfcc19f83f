"""The tree's text: one spelling, and hostile ones refused whole (spec: tree.md)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import DataError
from gitmlog.core.paths import component_problem
from gitmlog.metafile.tree import HEADER, TreeEntry, format_tree, parse_tree

ID = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
ENTRY = f"- {ID} 3 a/b.bin\n"

components = st.text(min_size=1, max_size=20).filter(lambda name: not component_problem(name))
paths = st.lists(components, min_size=1, max_size=4).map("/".join).filter(lambda path: not path.startswith("-"))
oids = st.text("0123456789abcdef", min_size=64, max_size=64).map(ObjectId)
entries = st.builds(TreeEntry, paths, st.sampled_from("-xl"), oids, st.integers(0, 10**18))


def without_clashes(found: list[TreeEntry]) -> list[TreeEntry]:
    """Drop paths that stand twice and files that are folders of others."""
    unique = {entry.path: entry for entry in found}
    folders = {"/".join(path.split("/")[:depth]) for path in unique for depth in range(1, path.count("/") + 1)}
    return [entry for path, entry in unique.items() if path not in folders]


trees = st.lists(entries, max_size=12).map(without_clashes)


@given(trees)
def test_what_is_written_is_read(tree: list[TreeEntry]) -> None:
    text = format_tree(tree)
    assert sorted(parse_tree(text, "x"), key=lambda entry: entry.path) == sorted(tree, key=lambda entry: entry.path)
    assert format_tree(parse_tree(text, "x")) == text


@given(trees, st.randoms())
def test_the_order_of_entries_does_not_matter(tree: list[TreeEntry], random: object) -> None:
    shuffled = list(tree)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert format_tree(shuffled) == format_tree(tree)


@given(trees)
def test_entries_are_sorted_by_their_bytes(tree: list[TreeEntry]) -> None:
    read = [entry.path.encode() for entry in parse_tree(format_tree(tree), "x")]
    assert read == sorted(read)


@given(trees.filter(bool), st.data())
def test_there_is_one_spelling(tree: list[TreeEntry], data: st.DataObject) -> None:
    """Whatever is changed in the text, it is refused or means something else."""
    text = bytearray(format_tree(tree))
    place = data.draw(st.integers(0, len(text) - 1))
    text[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    try:
        read = parse_tree(bytes(text), "x")
    except DataError as error:
        assert error.kind in ("bad-tree", "newer-version")
    else:
        assert format_tree(read) == bytes(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for text in (data, HEADER.encode() + data):
        try:
            parse_tree(text, "x")
        except DataError as error:
            assert error.kind in ("bad-tree", "newer-version")


def test_an_empty_directory_is_the_first_line() -> None:
    assert format_tree([]) == b"gitmlog-tree 1\n"
    assert parse_tree(b"gitmlog-tree 1\n", "x") == ()


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        "/a",
        "a//b",
        "a/",
        "a/../b",
        "-rf",
        ".git",
        "a/.GIT/config",
        ".git.",
        ".git ",
        "git~1",
        ".g\u200bit",
        ".git::$INDEX_ALLOCATION",
        "a\\b",
        "a\x00b",
        "a\rb",
        "a\x7fb",
        "a\x85b",
        "a\u2028b",
        "a\u202eb",
        "x" * 256,
        "/".join(["x" * 200] * 21),
    ],
)
def test_hostile_names_are_refused(name: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_tree(f"{HEADER}- {ID} 3 {name}\n".encode(), "tree")
    assert caught.value.kind == "bad-tree"
    assert caught.value.message.startswith("tree, line 2")


@pytest.mark.parametrize(
    "body",
    [
        ENTRY + ENTRY,
        f"- {ID} 3 b\n- {ID} 3 a\n",
        f"- {ID} 3 a\n{ENTRY}",
        f"- {ID} 3 a\n- {ID} 3 a.b\n- {ID} 3 a/b/c\n",
        f"- {ID[:-1]} 3 a\n",
        f"- {ID.upper()} 3 a\n",
        f"- {ID} 03 a\n",
        f"- {ID} -3 a\n",
        f"- {ID} 3.0 a\n",
        f"- {ID} 99999999999999999999 a\n",
        f"- {ID}  3 a\n",
        f"d {ID} 3 a\n",
        f"- {ID} 3\n",
        f"- {ID} 3 a",
        "\n",
        ENTRY + "\n",
    ],
)
def test_what_is_no_tree_is_refused(body: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_tree((HEADER + body).encode(), "tree")
    assert caught.value.kind == "bad-tree"


def test_sizes_add_up_below_two_to_the_63() -> None:
    """Spec, Limits: each may be large; their sum is what a metafile has to hold."""
    body = "".join(f"- {ID} 9000000000000000000 {name}\n" for name in "ab")
    with pytest.raises(DataError, match="size"):
        parse_tree((HEADER + body).encode(), "tree")


def test_the_error_names_the_line() -> None:
    with pytest.raises(DataError, match="tree, line 3"):
        parse_tree(f"{HEADER}{ENTRY}- {ID} 3 ../x\n".encode(), "tree")


@pytest.mark.parametrize("first", ["gitmlog-tree 2\n", "gitmlog-tree 99\nanything"])
def test_a_newer_version_is_refused(first: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_tree(first.encode(), "tree")
    assert caught.value.kind == "newer-version"
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize("first", ["", "gitmlog-tree 1", "gitmlog-tree 0\n", "gitmlog-tree 01\n", "tree 1\n", "\ufeff" + HEADER])
def test_another_first_line_is_refused(first: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_tree(first.encode(), "tree")
    assert caught.value.kind == "bad-tree"


def test_two_names_that_differ_in_case_are_legal() -> None:
    assert len(parse_tree(f"{HEADER}- {ID} 3 A\n- {ID} 3 a\n".encode(), "x")) == 2


@pytest.mark.parametrize("path", ["a/" * 2000 + "a", "é" * 120])
def test_hostile_depth_costs_no_time(path: str) -> None:
    body = "".join(f"- {ID} 3 {number:05}/{path}\n" for number in range(300))
    begun = time.process_time()
    parse_tree((HEADER + body).encode(), "x")
    assert time.process_time() - begun < 2
