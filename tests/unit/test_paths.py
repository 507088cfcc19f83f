"""Which names may be tracked (spec: tree.md, Names and Links)."""

from __future__ import annotations

import os
import time
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmlog.core.paths import _PLAIN_PATH, component_problem, display, link_problem, path_problem

FINE = [
    "a",
    "a.b",
    "...",
    "..a",
    ".gitignore",
    ".gitmlog",
    "git",
    "über",
    "a b",
    " a",
    "a ",
    "日本",
    "x" * 255,
    "a-b",
    "~",
    "git~2",
]
BAD = ["", ".", "..", "a/b", "a\\b", "\n", "\x9f", "\u2029", "\u2066", "\ud800", "x" * 256, "é" * 128]
DOT_GIT = [".git", ".GIT", ".Git ", ".git...", ".git . .", "git~1", "GIT~1", ".gi\u200ct", "\ufeff.git", ".git:x", ".git::$DATA"]


@pytest.mark.parametrize("name", FINE)
def test_names_that_may_be_tracked(name: str) -> None:
    assert component_problem(name) == ""


@pytest.mark.parametrize("name", BAD + DOT_GIT)
def test_names_that_may_not(name: str) -> None:
    assert component_problem(name)


@pytest.mark.parametrize("name", [name for name in BAD + DOT_GIT if name and name != "a/b"])
def test_and_not_anywhere_in_a_path(name: str) -> None:
    for path in (name, f"a/{name}", f"{name}/a", f"a/{name}/b"):
        assert path_problem(path)


@pytest.mark.parametrize("path", ["/a", "a/", "a//b", "-a", "-a/b", "a/../b", "./a", "x/" * 2048 + "x"])
def test_paths_that_may_not_be_tracked(path: str) -> None:
    assert path_problem(path)


@given(st.text(max_size=300) | st.from_regex(_PLAIN_PATH, fullmatch=True))
def test_the_quick_way_and_the_long_way_agree(path: str) -> None:
    slow = path.startswith("-") or len(path.encode("utf-8", "surrogatepass")) > 4096
    slow = slow or any(component_problem(component) for component in path.split("/"))
    assert bool(path_problem(path)) == slow


@given(st.text(min_size=1, max_size=80))
def test_what_may_be_tracked_stays_below_its_root(path: str) -> None:
    if not path_problem(path):
        assert os.path.normpath(path) == path
        assert not path.startswith(("/", "../"))
        assert "\0" not in path


@pytest.mark.parametrize("text", ["a" * 255 + "!", "a." * 127 + "!", "a-" * 4096, "a/" * 127 + "\\"])
def test_no_name_costs_time(text: str) -> None:
    begun = time.process_time()
    path_problem(text)
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize(("path", "target"), [("a", "b"), ("a/b", "../c"), ("a/b/c", "../../d"), ("a", "b/../c"), ("a/b", "./c")])
def test_links_that_stay_inside(path: str, target: str) -> None:
    assert link_problem(path, target) == ""


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a", ""),
        ("a", "/etc/passwd"),
        ("a", ".."),
        ("a", "../a"),
        ("a/b", "../../c"),
        ("a/b", "c/../../../d"),
        ("a", "../../a/b"),
        ("a", ".git/config"),
        ("a/b", "../.GIT/hooks"),
        ("a", "b\nc"),
        ("a", "x" * 5000),
    ],
)
def test_links_that_do_not(path: str, target: str) -> None:
    assert link_problem(path, target)


segments = st.sampled_from(["a", "b", "..", ".", ""])


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), st.lists(segments, min_size=1, max_size=8))
def test_a_link_that_is_accepted_never_leads_outside(parts: list[str], target: list[str]) -> None:
    path, text = "/".join(parts), "/".join(target)
    if link_problem(path, text) == "":
        resolved = os.path.normpath(PurePosixPath("/root", path).parent / text)
        assert resolved == "/root" or resolved.startswith("/root/")


@given(st.text(max_size=50))
def test_a_displayed_path_is_one_printable_word(path: str) -> None:
    shown = display(path)
    assert shown.isprintable()
    assert shown == path or shown[0] in "'\""
