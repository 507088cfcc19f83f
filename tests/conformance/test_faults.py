"""Broken connections, busy and silent servers: repeated where that helps, else a clear error, and never half an object."""

from __future__ import annotations

import os
import time

import pytest

from gitmlog.core.errors import RemoteError
from gitmlog.remote.base import Remote
from gitmlog.remote.open import open_remote
from tests.servers import Faults, free_ports

from .places import Place, Side, spec_with

MIB = 1 << 20
SIZE = 20 * MIB


def through(place: Place, proxy: Faults, **options: int) -> Remote:
    assert place.at is not None
    return open_remote(spec_with(place.at(proxy.port), **options))


def put_large(here: Side):
    return here.put(os.urandom(SIZE))


def test_a_download_cut_once_is_completed(place: Place, proxy: Faults, here: Side, there: Side):
    oids = put_large(here)
    place.open().send(here.db, oids)
    proxy.cut_down, proxy.times = 3 * MIB, 2
    assert through(place, proxy, retries=5).receive(there.db, oids).sent == set(oids)
    assert proxy.broken == 2
    assert there.has_all(oids)


def test_a_download_that_is_always_cut_is_an_error(place: Place, proxy: Faults, here: Side, there: Side):
    oids = put_large(here)
    place.open().send(here.db, oids)
    proxy.cut_down, proxy.times = MIB, -1
    with pytest.raises(RemoteError) as caught:
        through(place, proxy, retries=2).receive(there.db, oids)
    assert caught.value.kind == "remote-unreachable"
    assert caught.value.hint
    assert not there.cache.has(oids[0])
    assert place.open().receive(there.db, oids).sent == set(oids)


def test_an_upload_cut_once_is_completed(place: Place, proxy: Faults, here: Side):
    if place.kind == "gs":
        pytest.skip("fake-gcs-server hands out upload addresses that go around the proxy")
    oids = put_large(here)
    proxy.cut_up, proxy.times = 3 * MIB, 1
    assert through(place, proxy, retries=5).send(here.db, oids).sent == set(oids)
    assert proxy.broken == 1
    assert place.open().verify(oids) == {oids[0]: "ok"}


def test_a_cut_upload_is_never_taken_for_an_object(place: Place, proxy: Faults, here: Side):
    if place.kind == "gs":
        pytest.skip("fake-gcs-server hands out upload addresses that go around the proxy")
    small = here.put(b"small")
    place.open().send(here.db, small)
    oids = put_large(here)
    proxy.cut_up, proxy.times = 3 * MIB, -1
    with pytest.raises(RemoteError) as caught:
        through(place, proxy, retries=2).send(here.db, oids)
    assert caught.value.kind == "remote-unreachable"
    assert place.raw.keys().isdisjoint({place.key(oids[0])})
    assert place.open().exist(oids) == set()
    again = place.open().send(here.db, [*small, *oids])
    assert (again.sent, again.present) == (set(oids), set(small))


def test_nobody_listens(place: Place, here: Side, there: Side):
    if place.at is None:
        pytest.skip("a folder has no port")
    (port,) = free_ports(1)
    (oid,) = here.put(b"abc")
    remote = open_remote(spec_with(place.at(port), retries=2))
    for attempt in (lambda: remote.exist([oid]), lambda: remote.send(here.db, [oid]), lambda: remote.receive(there.db, [oid])):
        with pytest.raises(RemoteError) as caught:
            attempt()
        assert caught.value.kind == "remote-unreachable"


@pytest.mark.long
def test_a_silent_server_is_given_up(place: Place, proxy: Faults, here: Side, there: Side):
    (oid,) = here.put(b"abc")
    place.open().send(here.db, [oid])
    proxy.stall, proxy.times = True, -1
    begun = time.monotonic()
    with pytest.raises(RemoteError) as caught:
        through(place, proxy, retries=1, timeout=2).receive(there.db, [oid])
    assert caught.value.kind == "remote-unreachable"
    assert time.monotonic() - begun < 30


def test_a_busy_server_is_asked_again(place: Place, proxy: Faults, here: Side, there: Side):
    if not place.http:
        pytest.skip("503 is HTTP's")
    oids = here.put(b"abc", b"def")
    proxy.status, proxy.times = 503, 2
    assert through(place, proxy, retries=5).send(here.db, oids).sent == set(oids)
    assert proxy.broken == 2
    proxy.times = 2
    assert through(place, proxy, retries=5).receive(there.db, oids).sent == set(oids)
    assert proxy.broken == 4


def test_a_server_that_stays_busy_is_an_error(place: Place, proxy: Faults, here: Side):
    if not place.http:
        pytest.skip("503 is HTTP's")
    (oid,) = here.put(b"abc")
    proxy.status, proxy.times = 503, -1
    with pytest.raises(RemoteError) as caught:
        through(place, proxy, retries=2).send(here.db, [oid])
    assert caught.value.kind == "remote-busy"
    assert place.raw.keys() == set()


@pytest.mark.parametrize(("status", "kind"), [(403, "remote-auth"), (401, "remote-auth"), (507, "remote-full")])
def test_other_refusals(place: Place, proxy: Faults, here: Side, status: int, kind: str):
    if not place.http:
        pytest.skip("a status is HTTP's")
    (oid,) = here.put(b"abc")
    proxy.status, proxy.times = status, -1
    with pytest.raises(RemoteError) as caught:
        through(place, proxy, retries=2).send(here.db, [oid])
    assert caught.value.kind == kind


def test_what_arrived_before_the_end_is_kept(place: Place, proxy: Faults, here: Side, there: Side):
    small = here.put(*(b"%d" % number for number in range(20)))
    large = put_large(here)
    place.open().send(here.db, [*small, *large])
    proxy.cut_down, proxy.times = 4 * MIB, -1
    with pytest.raises(RemoteError):
        through(place, proxy, retries=1, jobs=4).receive(there.db, [*small, *large])
    kept = {oid for oid in [*small, *large] if there.cache.has(oid)}
    assert there.has_all(list(kept))
    result = place.open().receive(there.db, [*small, *large])
    assert result.present == kept
    assert result.sent == {*small, *large} - kept
