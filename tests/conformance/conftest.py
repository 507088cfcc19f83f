"""The kinds of remotes that the suite runs against; each server starts when its first test does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitmlog.store.cache import Cache
from gitmlog.store.odb import CacheDB
from tests import servers

from .places import Place, PlaceMaker, Side, place_maker

QUICK_KINDS = ("folder", "file", "s3-moto")
LONG_KINDS = ("ssh", "s3-seaweedfs", "gs", "az")
ALL = [*QUICK_KINDS, *(pytest.param(kind, marks=pytest.mark.long) for kind in LONG_KINDS)]


@pytest.fixture(scope="session", params=ALL)
def maker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlaceMaker]:
    """Makes places of one kind; its server lives as long as the tests that use it."""
    with place_maker(request.param, tmp_path_factory.mktemp(request.param)) as made:
        yield made


@pytest.fixture
def place(maker: PlaceMaker) -> Place:
    return maker(servers.fresh_prefix())


@pytest.fixture
def proxy(place: Place) -> Iterator[servers.Faults]:
    if not place.port:
        pytest.skip("a folder has no connection to break")
    with servers.faults(place.port) as running:
        yield running


def _side(root: Path) -> Side:
    cache = Cache(root)
    return Side(cache, CacheDB(cache))


@pytest.fixture
def here(tmp_path: Path) -> Side:
    """The cache that objects are sent from."""
    return _side(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Side:
    """A colleague's cache, empty."""
    return _side(tmp_path / "there")


@pytest.fixture(autouse=True)
def _no_cloud_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the developer's own clouds and keys reaches a test."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_", "STORAGE_", "SSH_AUTH")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
