"""The metafile's text: one spelling for equal facts, and nothing hostile gets through (spec: metafile.md)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import DataError
from gitmlog.core.paths import component_problem
from gitmlog.metafile.schema import MAX_SIZE, TYPES, DirectoryFacts, FileFacts, Metafile
from gitmlog.metafile.text import desc_problem, format_metafile, parse_metafile

ID = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
PLAIN = f'version = 1\n\n[file]\npath = "m.pt"\nblake3 = "{ID}"\nsize = 3\n'

names = st.text(min_size=1, max_size=60).filter(lambda name: not component_problem(name) and not name.startswith("-"))
oids = st.text("0123456789abcdef", min_size=64, max_size=64).map(ObjectId)
sizes = st.integers(0, MAX_SIZE)
metafiles = st.builds(
    Metafile,
    st.builds(FileFacts, names, oids, sizes, st.booleans()) | st.builds(DirectoryFacts, names, oids, sizes, sizes),
    st.sampled_from(TYPES) | st.none(),
    st.text(max_size=200).filter(lambda text: not desc_problem(text)),
)


def refusal(data: str | bytes) -> DataError:
    """How the reader refuses; in less than a second."""
    begun = time.process_time()
    with pytest.raises(DataError) as caught:
        parse_metafile(data.encode() if isinstance(data, str) else data, "m.pt.gitmlog")
    assert time.process_time() - begun < 1
    assert len(caught.value.message) < 1000
    assert caught.value.message.startswith("m.pt.gitmlog")
    assert caught.value.hint
    return caught.value


@given(metafiles)
def test_what_is_written_is_read(metafile: Metafile) -> None:
    text = format_metafile(metafile)
    assert parse_metafile(text, "x") == metafile
    assert text.endswith(b"\n")
    assert b"\r" not in text


@given(metafiles, metafiles)
def test_equal_facts_have_equal_bytes(one: Metafile, other: Metafile) -> None:
    assert (format_metafile(one) == format_metafile(other)) == (one == other)


@given(metafiles)
def test_one_fact_a_line(metafile: Metafile) -> None:
    for line in format_metafile(metafile).decode().split("\n"):
        assert line in ("", "[file]", "[directory]") or " = " in line


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse_metafile(data, "x")
    except DataError as error:
        assert error.kind in ("bad-metafile", "newer-version")


@given(st.data())
def test_a_damaged_text_is_read_or_refused(data: st.DataObject) -> None:
    text = bytearray(PLAIN.encode())
    place = data.draw(st.integers(0, len(text) - 1))
    text[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    try:
        again = parse_metafile(bytes(text), "x")
    except DataError:
        return
    assert parse_metafile(format_metafile(again), "x") == again


def test_hand_written_text_is_read() -> None:
    """A merge by hand: other order, comments, spaces, CRLF, another spelling of strings."""
    text = f"# ours\r\nversion=1\r\ntype='model'\r\nfile = {{size = 3, blake3 = '{ID}', path = 'm.pt'}}\r\n"
    assert format_metafile(parse_metafile(text.encode(), "x")).decode() == PLAIN.replace("\n\n", '\ntype = "model"\n\n', 1)


@pytest.mark.parametrize(
    ("old", "new", "line", "key"),
    [
        ("size = 3", "size = 3\nsha256 = 'x'", 7, "sha256"),
        ("version = 1", "version = 1\nowner = 'x'", 2, "owner"),
        ("size = 3", "size = -1", 6, "size"),
        ("size = 3", "size = true", 6, "size"),
        ("size = 3", "size = 3.0", 6, "size"),
        ("size = 3", f"size = {MAX_SIZE + 1}", 6, "size"),
        ("size = 3", "size = 3\nexecutable = 1", 7, "executable"),
        ("size = 3", "size = 3\nfiles = 1", 7, "files"),
        ('"m.pt"', '"../m.pt"', 4, "path"),
        ('"m.pt"', '".."', 4, "path"),
        ('"m.pt"', '"-rf"', 4, "path"),
        ('"m.pt"', '".Git"', 4, "path"),
        ('"m.pt"', '"a\\nb"', 4, "path"),
        ('"m.pt"', '"a\\u202eb"', 4, "path"),
        ('"m.pt"', "3", 4, "path"),
        (ID, ID[:-1], 5, "blake3"),
        (ID, ID.upper(), 5, "blake3"),
        (ID, "../" + ID[3:], 5, "blake3"),
        ("version = 1", "version = 1\ntype = 'virus'", 2, "type"),
        ("version = 1", "version = 1\ndesc = 3", 2, "desc"),
        ("version = 1", "version = 1\ndesc = 'a\\u0000'".replace("'", '"'), 2, "desc"),
        ("version = 1", f"version = 1\ndesc = '{'x' * 1001}'", 2, "desc"),
        ("version = 1", "version = true", 1, "version"),
        ("version = 1", "version = 0", 1, "version"),
        ("version = 1", "version = '1'", 1, "version"),
    ],
)
def test_the_error_names_file_line_and_key(old: str, new: str, line: int, key: str) -> None:
    error = refusal(PLAIN.replace(old, new))
    assert error.kind == "bad-metafile"
    assert error.message.startswith(f"m.pt.gitmlog:{line}: {key}: ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version = 1\n",
        PLAIN.replace("[file]", "[model]"),
        PLAIN + "[directory]\npath = 'x'\n",
        PLAIN.replace("[file]", "[[file]]"),
        PLAIN + "size = 3\n",
        PLAIN + "[file]\n",
        "file = 1\nversion = 1\n",
        "<<<<<<< ours\n" + PLAIN,
        PLAIN.replace("size = 3\n", "<<<<<<< ours\nsize = 3\n=======\nsize = 4\n>>>>>>> theirs\n"),
        b"\xff" + PLAIN.encode(),
        "\ufeff" + PLAIN,
        PLAIN.replace("= 3", "= 1979-05-27"),
    ],
)
def test_what_is_no_metafile_is_refused(text: str | bytes) -> None:
    assert refusal(text).kind == "bad-metafile"


@pytest.mark.parametrize("key", ["version", "type", "desc", "path", "blake3", "size"])
@pytest.mark.parametrize("value", ["0x" + "f" * 900_000, "9" * 900_000, "[" + "[]," * 150_000 + "]", "'" + "x" * 900_000 + "'"])
def test_a_huge_value_is_refused_with_a_short_message(key: str, value: str) -> None:
    lines = [line for line in PLAIN.replace("[file]", "type='model'\ndesc='x'\n[file]").splitlines() if not line.startswith(key)]
    place = 0 if key in ("version", "type", "desc") else len(lines)
    lines.insert(place, f"{key} = {value}")
    refusal("\n".join(lines))


def test_a_newer_version_is_refused() -> None:
    error = refusal(PLAIN.replace("version = 1", "version = 2\nnew = true"))
    assert error.kind == "newer-version"
    assert "upgrade" in error.hint


HOSTILE = {
    "too large": "# " + "x" * (1 << 20),
    "arrays": "a = " + "[" * 200_000,
    "arrays, a line each": "a = [\n" + "[\n" * 200_000,
    "arrays, each with a comment": "a = [ #\n" + "[ #\n" * 100_000,
    "inline tables": "a = " + "{a = " * 100_000,
    "dotted key": "a." * 400_000 + "a = 1",
    "dotted key with a quoted =": '"=".' + "a." * 400_000 + "a = 1",
    "dotted key with a quoted line separator": '"\u2028".a.a.a.' * 60_000 + "a = 1",
    "dotted table": "[" + "a." * 400_000 + "a]",
    "many dotted keys": "".join(f"k{number}.{'a.' * 60}a = 1\n" for number in range(5_000)),
    "many tables": "".join(f"[t{number}]\n" for number in range(80_000)),
    "many array tables": "[[a]]\n" * 150_000,
    "many keys": "".join(f"k{number} = 1\n" for number in range(70_000)),
    "deep tables": "".join(f"[{'.'.join(['a'] * depth)}]\n" for depth in range(1, 700)),
    "open string": 'a = "' + '\\"' * 400_000,
    "open long string": 'a = """' + '\\"' * 400_000,
    "quotes": "'\"" * 400_000,
    "brackets in a comment": "# " + "[" * 200_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused_at_once(text: str) -> None:
    assert refusal(text).kind == "bad-metafile"


def test_nesting_is_limited_to_32() -> None:
    error = refusal("a = " + "[" * 33 + "]" * 33)
    assert "32" in error.message
    assert "32" in refusal(".".join("a" * 34) + " = 1").message


def test_dots_and_brackets_in_strings_are_no_nesting() -> None:
    desc = "[" * 100 + "." * 100 + "{" * 100
    metafile = Metafile(FileFacts("a" + ".b" * 60, ObjectId(ID), 1), "model", desc)
    assert parse_metafile(format_metafile(metafile), "x") == metafile
