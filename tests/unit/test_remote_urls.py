"""Which URLs a remote may have (spec: remote.md, URL)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gitmlog
from gitmlog.core.errors import ConfigError, RemoteError
from gitmlog.remote.base import RemoteSpec
from gitmlog.remote.errors import remote_error
from gitmlog.remote.layout import MARKER_TEXT, check_marker
from gitmlog.remote.open import open_remote
from gitmlog.remote.urls import Location, check_endpoint, parse_url

SPEC = (Path(gitmlog.__file__).parent / "docs" / "spec" / "remote.md").read_text()


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", SPEC, flags=re.DOTALL)


@pytest.mark.parametrize("url", examples("url")[0].splitlines())
def test_the_examples_of_the_spec_are_urls(url: str):
    assert parse_url(url).path or url == "gs://models"


def test_the_marker_of_the_spec_is_what_is_written():
    assert examples("toml") == [MARKER_TEXT.decode()]
    check_marker(MARKER_TEXT, "origin")


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("/", Location("file", "", "/")),
        ("/a/b/", Location("file", "", "/a/b")),
        ("/with space/%20", Location("file", "", "/with space/%20")),
        ("file:///a%20b", Location("file", "", "/a b")),
        ("s3://bkt", Location("s3", "bkt", "")),
        ("s3://bkt/", Location("s3", "bkt", "")),
        ("s3://bkt/a%20b/c d/", Location("s3", "bkt", "a%20b/c d")),
        ("az://container/ünï", Location("az", "container", "ünï")),
        ("ssh://host/srv/x", Location("ssh", "host", "srv/x")),
        ("ssh://ada@host:22/~/x", Location("ssh", "host", "x", 22, "ada", home=True)),
        ("ssh://[::1]:2222/x", Location("ssh", "::1", "x", 2222)),
        ("https://host:8443/x/", Location("https", "host", "x", 8443)),
        ("https://host/a%20b", Location("https", "host", "a b")),
    ],
)
def test_urls(url: str, location: Location):
    assert parse_url(url) == location


@pytest.mark.parametrize(
    "url",
    [
        "",
        "relative/folder",
        "host:folder",
        "ftp://host/x",
        "file://host/x",
        "file:///a/../b",
        "/a/./b",
        "s3://",
        "s3://-bucket/x",
        "s3://bkt//x",
        "s3://bkt/../x",
        "s3://key:secret@bkt/x",
        "s3://key@bkt/x",
        "ssh://-oProxyCommand=x/y",
        "ssh://-l@host/y",
        "ssh://host",
        "ssh://host/",
        "ssh://host/~",
        "ssh://host:99999/x",
        "ssh://host:0/x",
        "ssh://host/a%00b",
        "ssh://host/a%0ab",
        "ssh://ada:secret@host/x",
        "ssh://[:::::]/x",
        "https://ada:secret@host/x",
        "https://ada@host/x",
        "https://host/x?token=secret",
        "https://host/x#y",
        "https://ho st/x",
        "s3://bkt/a\nb",
        "s3://bkt/\x1b[31m",
        "/a\x7fb",
        "s3://bkt/" + "x" * 2048,
    ],
)
def test_bad_urls(url: str):
    with pytest.raises(ConfigError) as caught:
        parse_url(url)
    assert caught.value.kind == "bad-url"
    assert "secret" not in caught.value.message
    assert caught.value.message.isprintable()


def test_an_unknown_scheme_lists_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        parse_url("ftp://host/x")
    for scheme in ("s3://", "gs://", "az://", "ssh://", "file://", "https://"):
        assert scheme in caught.value.hint


@pytest.mark.parametrize("endpoint", ["host:9000", "ftp://host", "http://a:b@host", "https://host?x=1", "https://-host"])
def test_bad_endpoints(endpoint: str):
    with pytest.raises(ConfigError) as caught:
        check_endpoint(endpoint)
    assert caught.value.kind == "bad-url"


def test_a_missing_extra_names_itself(monkeypatch: pytest.MonkeyPatch):
    import sys

    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "gitmlog.remote.store", raising=False)
    with pytest.raises(RemoteError) as caught:
        open_remote(RemoteSpec("origin", "s3://bkt/x", {"access_key": "a", "secret_key": "b"}))
    assert caught.value.kind == "missing-extra"
    assert "gitmlog[s3]" in caught.value.hint


def test_a_signature_in_an_address_is_not_shown():
    error = remote_error("origin", OSError("GET https://host/x?sig=SECRET failed: timed out"))
    assert error.kind == "remote-unreachable"
    assert "SECRET" not in error.message
