"""A remote's marker: whoever can write there can put anything into it (spec: remote.md, Layout)."""

from __future__ import annotations

import time

import pytest

from gitmlog.core.errors import RemoteError
from gitmlog.remote.layout import MARKER_TEXT, MAX_MARKER, check_marker


def test_our_own_is_accepted_and_unknown_keys_are_ignored() -> None:
    check_marker(MARKER_TEXT, "origin")
    check_marker(MARKER_TEXT + b"more = true\n", "origin")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version = 0\n",
        "version = true\n",
        "layout = 'objects'\n",
        "version = 0x" + "f" * 60_000,
        "version = " + "9" * 60_000,
        "a." * 32_000 + "a = 1",
        "a = " + "[" * 60_000,
        "version = 1\nlayout = 'objects'\n" + "#" * MAX_MARKER,
        "version = 1\nlayout = 'chunks'\n",
        "version = 1\n",
        "\ud800",
    ],
)
def test_anything_else_is_refused_at_once(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(RemoteError) as caught:
        check_marker(text.encode("utf-8", "surrogatepass"), "origin")
    assert time.process_time() - begun < 1
    assert caught.value.kind == "bad-remote"
    assert len(caught.value.message) < 200


def test_a_newer_one_is_refused() -> None:
    with pytest.raises(RemoteError) as caught:
        check_marker(b"version = 2\nlayout = 'packs'\n", "origin")
    assert caught.value.kind == "newer-version"
    assert "upgrade" in caught.value.hint
