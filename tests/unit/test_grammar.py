"""Tags of versions and stages: the grammar of GTO."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmlog.ops.topics import find_page
from gitmlog.registry.grammar import StageTag, Version, VersionTag, is_name, is_ours, parse_tag, tag_problem
from tests.unit.test_docs import blocks

PIECES = (
    "a",
    "B",
    "1",
    "0",
    "-",
    "_",
    "/",
    ".",
    "@",
    "#",
    "v",
    "1.0.0",
    "v1.2.3",
    "-rc.1",
    "+b",
    "!",
    "prod",
    "é",
    "created",
    "٣",
    "\n",
)


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("m@v1.2.3", VersionTag("m", Version(1, 2, 3))),
        ("m@v0.0.0", VersionTag("m", Version(0, 0, 0))),
        ("my-model_2@v1.2.3-rc.1", VersionTag("my-model_2", Version(1, 2, 3, ("rc", "1")))),
        ("vision/detector@v1.2.3-0a.b-c+build.5", VersionTag("vision/detector", Version(1, 2, 3, ("0a", "b-c"), "build.5"))),
        ("m#prod#1", StageTag("m", "prod", 1)),
        ("a/b#eu-prod#999999999", StageTag("a/b", "eu-prod", 999_999_999)),
    ],
)
def test_legal_tags(tag: str, said: VersionTag | StageTag) -> None:
    assert parse_tag(tag) == said
    assert str(said) == tag
    assert tag_problem(tag) == ""
    assert is_ours(tag)


@pytest.mark.parametrize(
    ("tag", "word"),
    [
        ("m@created", "different tools"),
        ("m@deprecated", "different tools"),
        ("m@1.0", "three numbers"),
        ("m@1.2.3", "begins with 'v'"),
        ("m@v1.2", "three numbers"),
        ("m@v01.2.3", "three numbers"),
        ("m@v1.2.3-01", "three numbers"),
        ("m@v1.2.3-", "three numbers"),
        ("m@v٣.2.3", "three numbers"),
        ("m@", "three numbers"),
        ("m@v1.2.3!", "not taken back"),
        ("m@v1.2.3#1", "nothing follows"),
        ("m@v1.2.3#prod#1", "nothing follows"),
        ("m@latest", "three numbers"),
        ("m#prod", "number is missing"),
        ("m#prod#", "number is missing"),
        ("m#prod#0", "1 or more"),
        ("m#prod#01", "leading zeros"),
        ("m#prod#-1", "1 or more"),
        ("m#prod#x", "1 or more"),
        ("m#prod#٣", "1 or more"),
        ("m#prod#1#2", "1 or more"),
        ("m#prod#1000000000", "9 digits"),
        ("m#prod#!3", "not taken back"),
        ("m#prod!#3", "not taken back"),
        ("m#prod!", "not taken back"),
        ("m##1", "STAGE is"),
        ("m#a.b#1", "STAGE is"),
        ("m#prod@v1.0.0", "STAGE is"),
        ("m.onnx@v1.0.0", "NAME is"),
        ("-m@v1.0.0", "NAME is"),
        ("m-@v1.0.0", "NAME is"),
        ("@v1.0.0", "NAME is"),
        ("#prod#1", "NAME is"),
        ("@scope/pkg@1.0.0", "NAME is"),
        ("dir=m@v1.0.0", "NAME is"),
        ("é@v1.0.0", "NAME is"),
        ("m" * 500 + "@v1.0.0", "at most 500"),
        ("m@v1.0.0\n", "three numbers"),
    ],
)
def test_tags_that_only_look_like_it(tag: str, word: str) -> None:
    assert parse_tag(tag) is None
    assert word in tag_problem(tag)


@pytest.mark.parametrize("tag", ["v1.0", "v1.2.3", "release-2024", "run/20260101-000000-swift-otter", "a/b", "x!", "", "日本"])
def test_other_tags_are_nobodys_business(tag: str) -> None:
    assert parse_tag(tag) is None
    assert tag_problem(tag) == ""
    assert not is_ours(tag)


def test_versions_sort_as_semver_says() -> None:
    order = ["1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"]
    order += ["1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0"]
    found = [tag.version for each in order if isinstance(tag := parse_tag(f"m@v{each}"), VersionTag)]
    assert len(found) == len(order)
    for (number, one), (other_number, other) in itertools.product(enumerate(found), repeat=2):
        assert (one < other, one == other, one > other) == (
            number < other_number,
            number == other_number,
            number > other_number,
        ), (one, other)


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_a_tag_is_legal_or_has_a_problem_or_is_not_ours(tag: str) -> None:
    parsed = parse_tag(tag)
    assert (parsed is not None) + bool(tag_problem(tag)) + (not is_ours(tag)) == 1
    if parsed is not None:
        assert str(parsed) == tag
        assert is_name(parsed.name)


@given(st.text())
def test_any_text_is_read(tag: str) -> None:
    parse_tag(tag)
    tag_problem(tag)


def test_the_examples_of_the_specification() -> None:
    page = find_page("policy")
    assert page is not None
    legal, refused = ([line for block in blocks(page.text, name) for line in block.splitlines()] for name in ("tags", "refused"))
    assert len(legal) > 3 and len(refused) > 3
    assert [tag for tag in legal if parse_tag(tag) is None] == []
    assert [tag for tag in refused if not tag_problem(tag)] == []
