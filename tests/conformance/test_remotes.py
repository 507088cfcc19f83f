"""What every remote must do (spec: remote.md), against a real server of each kind."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gitmlog.core.digest import ObjectId, hash_bytes
from gitmlog.core.errors import GitmlogError, RemoteError
from gitmlog.core.progress import SILENT
from gitmlog.remote.open import open_remote
from tests.servers import fresh_prefix

from .places import Place, PlaceMaker, Side

MIB = 1 << 20
MARKER = "gitmlog-remote.toml"


@pytest.fixture(autouse=True)
def _silent(capfd: pytest.CaptureFixture[str]):
    """The library never prints, and dvc-data's tracebacks never reach a terminal."""
    yield
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err == ""


def absent_object() -> ObjectId:
    return hash_bytes(os.urandom(16))


def test_objects_of_every_size_come_back_as_they_were(place: Place, here: Side, there: Side):
    oids = here.put(b"", b"x", os.urandom(1000), os.urandom(8 * MIB), os.urandom(8 * MIB + 1), os.urandom(20 * MIB))
    sent = place.open().send(here.db, oids)
    assert (sent.sent, sent.present, sent.missing, dict(sent.failed)) == (set(oids), set(), set(), {})
    received = place.open().receive(there.db, oids)
    assert (received.sent, received.missing, dict(received.failed)) == (set(oids), set(), {})
    assert there.has_all(oids)


def test_what_lies_there_is_what_the_spec_says(place: Place, here: Side):
    oids = here.put(b"one", b"two")
    place.open().send(here.db, oids)
    assert place.raw.keys() == {MARKER, *(place.key(oid) for oid in oids)}
    assert place.raw.read(MARKER) == b'version = 1\nlayout = "objects"\n'
    assert place.raw.read(place.key(oids[0])) == b"one"


def test_known_sizes_do_not_change_what_is_received(place: Place, here: Side, there: Side):
    oids = here.put(b"", b"abc", os.urandom(9 * MIB))
    place.open().send(here.db, oids)
    sizes = {oids[0]: 0, oids[1]: 3, oids[2]: 9 * MIB}
    assert place.open().receive(there.db, oids, sizes=sizes).sent == set(oids)
    assert there.has_all(oids)


@pytest.mark.long
def test_an_object_of_many_parts(place: Place, here: Side, there: Side):
    oids = here.put(os.urandom(70 * MIB))
    assert place.open().send(here.db, oids).sent == set(oids)
    assert place.open().receive(there.db, oids, sizes={oids[0]: 70 * MIB}).sent == set(oids)
    assert there.has_all(oids)


@pytest.mark.long
def test_two_thousand_small_objects(place: Place, here: Side, there: Side):
    oids = here.put(*(b"%d" % number for number in range(2000)))
    assert place.open().send(here.db, oids).sent == set(oids)
    again = place.open().send(here.db, oids)
    assert (again.sent, again.present) == (set(), set(oids))
    assert place.open().exist([*oids, absent_object()]) == set(oids)
    assert place.open().receive(there.db, oids).sent == set(oids)
    assert there.has_all(oids)


def test_what_was_sent_is_not_sent_again(place: Place, here: Side):
    first = here.put(b"first", os.urandom(9 * MIB))
    remote = place.open()
    remote.send(here.db, first)
    second = here.put(b"second")
    result = remote.send(here.db, [*first, *second])
    assert (result.sent, result.present) == (set(second), set(first))


def test_what_is_here_is_not_received_again(place: Place, here: Side, there: Side):
    oids = here.put(b"one", b"two")
    place.open().send(here.db, oids)
    there.put(b"one")
    result = place.open().receive(there.db, oids)
    assert (result.sent, result.present) == ({oids[1]}, {oids[0]})


def test_objects_that_nobody_has_are_reported(place: Place, here: Side, there: Side):
    known, unknown = here.put(b"known")[0], absent_object()
    sent = place.open().send(here.db, [known, unknown])
    assert (sent.sent, sent.missing) == ({known}, {unknown})
    received = place.open().receive(there.db, [known, unknown])
    assert (received.sent, received.missing, dict(received.failed)) == ({known}, {unknown}, {})
    assert place.open().exist([known, unknown]) == {known}


def test_an_empty_remote_holds_nothing(place: Place, there: Side):
    oid = absent_object()
    assert place.open().exist([oid]) == set()
    assert place.open().receive(there.db, [oid]).missing == {oid}
    assert place.open().verify([oid]) == {oid: "missing"}


def test_nothing_to_do_asks_nobody(place: Place, here: Side):
    assert place.vanished is not None
    remote = open_remote(place.vanished)
    assert remote.exist([]) == set()
    assert remote.send(here.db, []).sent == set()
    assert remote.verify([]) == {}


def test_a_damaged_object_is_refused_reported_and_repaired(place: Place, here: Side, there: Side):
    good, bad = here.put(b"good", b"right bytes")
    place.open().send(here.db, [good, bad])
    place.raw.write(place.key(bad), b"wrong bytes")
    received = place.open().receive(there.db, [good, bad])
    assert received.sent == {good}
    assert set(received.failed) == {bad}
    assert "damaged" in received.failed[bad]
    assert not there.cache.has(bad)
    assert place.open().verify([good, bad]) == {good: "ok", bad: "corrupt"}
    repaired = place.open().replace(here.db, [bad])
    assert (repaired.sent, dict(repaired.failed)) == ({bad}, {})
    assert place.open().verify([good, bad]) == {good: "ok", bad: "ok"}
    assert place.open().receive(there.db, [bad]).sent == {bad}


@pytest.mark.parametrize("size", [1000, 9 * MIB])
def test_half_an_object_is_no_object(place: Place, here: Side, there: Side, size: int):
    content = os.urandom(size)
    (oid,) = here.put(content)
    place.raw.write(MARKER, b'version = 1\nlayout = "objects"\n')
    place.raw.write(place.key(oid), content[: size // 2])
    remote = place.open()
    assert remote.exist([oid], sizes={oid: size}) == set()
    received = remote.receive(there.db, [oid], sizes={oid: size})
    assert set(received.failed) == {oid}
    assert not there.cache.has(oid)
    assert remote.send(here.db, [oid]).sent == {oid}
    assert place.raw.read(place.key(oid)) == content


@pytest.mark.parametrize("size", [1000, 9 * MIB, 20 * MIB])
def test_a_damaged_object_of_the_cache_is_never_sent(place: Place, here: Side, size: int):
    oid, good = here.put(os.urandom(size), b"good")
    here.damage(oid, os.urandom(size))
    result = place.open().send(here.db, [oid, good])
    assert result.sent == {good}
    assert set(result.failed) == {oid}
    assert place.raw.keys().isdisjoint({place.key(oid)})


def test_more_bytes_than_promised_are_refused(place: Place, here: Side, there: Side):
    (oid,) = here.put(b"abc")
    place.open().send(here.db, [oid])
    result = place.open().receive(there.db, [oid], sizes={oid: 2})
    assert set(result.failed) == {oid}
    assert not there.cache.has(oid)


def test_a_remote_of_a_newer_version_is_refused(place: Place, here: Side, there: Side):
    (oid,) = here.put(b"abc")
    place.raw.write(MARKER, b'version = 2\nlayout = "packs"\n')
    remote = place.open()
    for attempt in (
        lambda: remote.exist([oid]),
        lambda: remote.send(here.db, [oid]),
        lambda: remote.receive(there.db, [oid]),
        lambda: remote.verify([oid]),
    ):
        with pytest.raises(RemoteError) as caught:
            attempt()
        assert caught.value.kind == "newer-version"
        assert "upgrade" in caught.value.hint
    assert place.raw.keys() == {MARKER}


@pytest.mark.parametrize("text", [b"", b"\xff", b"version = true\n", b"version = 1\nlayout = 'other'\n", b"#" * (65 << 10)])
def test_a_damaged_marker_is_refused(place: Place, here: Side, text: bytes):
    place.raw.write(MARKER, text)
    with pytest.raises(RemoteError) as caught:
        place.open().send(here.db, here.put(b"abc"))
    assert caught.value.kind == "bad-remote"
    assert place.raw.read(MARKER) == text


@pytest.mark.parametrize("name", ["with space", "trailing/", "ünï/日本", "per%20cent", "plus+and&", "a/deep/one", "x=1,y;z'"])
def test_odd_prefixes(maker: PlaceMaker, here: Side, there: Side, name: str):
    place = maker(f"{fresh_prefix()}/{name}")
    if not place.port or place.kind == "ssh":
        place.raw.root.parent.mkdir(parents=True, exist_ok=True)
    oids = here.put(b"abc", os.urandom(9 * MIB), *(b"%d" % number for number in range(70)))
    assert place.open().send(here.db, oids).sent == set(oids)
    assert len(place.raw.keys()) == 73
    assert place.open().exist(oids) == set(oids)
    assert place.open().receive(there.db, oids).sent == set(oids)
    assert there.has_all(oids)


def test_a_vanished_bucket_or_folder(place: Place, here: Side, there: Side):
    (oid,) = here.put(b"abc")
    remote = open_remote(place.vanished)
    for attempt in (lambda: remote.exist([oid]), lambda: remote.send(here.db, [oid]), lambda: remote.receive(there.db, [oid])):
        with pytest.raises(RemoteError) as caught:
            attempt()
        assert caught.value.kind == "remote-missing"
        assert caught.value.hint


def test_wrong_credentials(place: Place, here: Side, there: Side):
    if place.wrong is None:
        pytest.skip("this server asks for no credentials")
    (oid,) = here.put(b"abc")
    remote = open_remote(place.wrong)
    for attempt in (lambda: remote.exist([oid]), lambda: remote.send(here.db, [oid]), lambda: remote.receive(there.db, [oid])):
        with pytest.raises(RemoteError) as caught:
            attempt()
        assert caught.value.kind == "remote-auth"
        assert "secret" not in caught.value.message


def test_an_id_is_checked_before_it_becomes_a_name(place: Place, here: Side):
    remote = place.open()
    for bad in ("", "../../etc/passwd", "A" * 64, "0" * 63):
        with pytest.raises(GitmlogError):
            remote.exist([ObjectId(bad)])
        with pytest.raises(GitmlogError):
            remote.send(here.db, [ObjectId(bad)])


def test_progress_counts_every_byte(place: Place, here: Side, there: Side):
    class Counting:
        total, done = 0, 0

        def task(self, label, total, unit="files"):
            assert unit == "bytes"
            self.total = total
            return self

        def __enter__(self):
            return self

        def __exit__(self, *exc):
            return None

        def advance(self, amount=1):
            self.done += amount

        note = SILENT.note

    oids = here.put(b"abc", os.urandom(9 * MIB))
    sizes = {oids[0]: 3, oids[1]: 9 * MIB}
    out, back = Counting(), Counting()
    place.open().send(here.db, oids, progress=out)
    place.open().receive(there.db, oids, progress=back, sizes=sizes)
    assert (out.total, out.done) == (back.total, back.done) == (9 * MIB + 3, 9 * MIB + 3)


def test_two_first_pushes_at_once(place: Place, here: Side, tmp_path: Path):
    oids = here.put(*(b"%d" % number for number in range(40)), os.urandom(9 * MIB))
    with ThreadPoolExecutor(2) as pool:
        results = [each.result() for each in [pool.submit(place.open().send, here.db, oids) for _ in range(2)]]
    for result in results:
        assert result.sent | result.present == set(oids)
    assert len(place.raw.keys()) == len(oids) + 1
    assert set(place.open().verify(oids).values()) == {"ok"}


def test_leftovers_of_killed_pushes_go_after_a_week(place: Place, here: Side):
    if place.kind not in ("folder", "file", "ssh"):
        pytest.skip("a store has no temporary files")
    place.open().send(here.db, here.put(b"one"))
    for name, age in (("old", 8 * 86400), ("new", 60)):
        place.raw.write(f"tmp/{name}", b"half an object")
        os.utime(place.raw.root / "tmp" / name, (time.time() - age,) * 2)
    place.open().send(here.db, here.put(b"two"))
    assert set(filter(lambda key: key.startswith("tmp/"), place.raw.keys())) == {"tmp/new"}
