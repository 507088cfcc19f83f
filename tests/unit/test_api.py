"""The Python API against real repositories. It prints nothing and reads no environment."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import gitmlog
from gitmlog import api
from gitmlog.core.errors import DataError, MissingDataError, NotFoundError, RefusedError, UsageError
from tests.conftest import Sandbox


@pytest.fixture
def box(sandbox: Sandbox, tmp_path: Path) -> Sandbox:
    sandbox.write("README", "hello")
    sandbox.commit()
    assert sandbox.here("remote", "add", "origin", str(tmp_path / "store")).code == 0
    return sandbox


def test_the_story(box: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    repo = gitmlog.Repo.init(box.root)
    box.write("m.bin", b"weights 1")
    box.write("data/x", b"x")
    added = repo.add("m.bin", "data", desc="a model", type="model")
    assert [item.path for item in added.added] == ["m.bin", "data"]
    assert repo.tracked == ["data", "m.bin"]
    box.commit()
    assert repo.push().sent == 3
    assert repo.status().is_clean
    assert [remote.name for remote in repo.remotes] == ["origin"]
    box.git("clone", "-q", str(box.root), str(tmp_path / "clone"))
    clone = gitmlog.Repo.open(tmp_path / "clone")
    assert clone.status("m.bin").paths[0].conditions
    assert clone.fetch().sent == 3
    assert {item.path: item.written for item in clone.pull()} == {"data": 1, "m.bin": 1}
    assert (clone.root / "m.bin").read_bytes() == b"weights 1"
    (clone.root / "m.bin").unlink()
    assert clone.checkout("m.bin")[0].written == 1
    assert clone.verify(remote=True).is_whole
    assert clone.gc().reachable.objects == 3
    assert clone.cache == clone.root / ".git/gitmlog/cache"
    assert capfd.readouterr() == ("", "")


def test_open(box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = gitmlog.Repo.open(box.root)
    box.write("m.bin", b"version 1")
    box.write("data/x/y", b"in a directory")
    repo.add("m.bin", "data")
    box.commit()
    box.git("tag", "v1")
    box.write("m.bin", b"version 2")
    repo.add("m.bin")
    box.write("m.bin", b"edited")
    repo.push()
    monkeypatch.chdir(box.root)
    with gitmlog.open("m.bin") as stream:
        assert stream.read() == b"version 2"
        assert stream.seekable()
        assert stream.seek(8) == 8
        assert stream.read() == b"2"
        assert not stream.writable()
    expected: list[tuple[Callable[[], object], bytes]] = [
        (lambda: gitmlog.open("m.bin", "v1"), b"version 1"),
        (lambda: gitmlog.open("README"), b"hello"),
        (lambda: gitmlog.open("README", rev="HEAD"), b"hello"),
        (lambda: gitmlog.open(box.root / "data/x/y"), b"in a directory"),
        (lambda: gitmlog.open("m.bin", repo=box.root), b"version 1"),
        (lambda: gitmlog.open("data/x/y", repo=f"file://{box.root}"), b"in a directory"),
        (lambda: repo.open_file("m.bin", rev="v1"), b"version 1"),
    ]
    for opened, data in expected:
        with opened() as stream:  # type: ignore[attr-defined]
            assert stream.read() == data
    monkeypatch.chdir(box.root / "data")
    with gitmlog.open("x/y") as stream:
        assert isinstance(stream, io.BufferedReader)
        assert stream.read() == b"in a directory"


def test_open_fetches_and_checks(box: Sandbox, tmp_path: Path) -> None:
    repo = gitmlog.Repo.open(box.root)
    box.write("m.bin", b"version 1")
    oid = repo.add("m.bin").added[0].oid
    repo.push()
    path = repo.cache / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(b"version X")
    with pytest.raises(DataError, match="damaged"):
        repo.open_file("m.bin")
    with repo.open_file("m.bin") as stream:
        assert stream.read() == b"version 1"
    path.unlink()
    (tmp_path / "store/objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(MissingDataError):
        repo.open_file("m.bin")


def test_get(box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = gitmlog.Repo.open(box.root)
    box.write("m.bin", b"version 1")
    repo.add("m.bin")
    box.commit()
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    assert gitmlog.get(box.root, "m.bin") == tmp_path / "away/m.bin"
    assert repo.get("m.bin", rev="HEAD", out="b.bin").read_bytes() == b"version 1"
    with pytest.raises(RefusedError):
        gitmlog.get(box.root, "m.bin")
    assert gitmlog.get(box.root, "m.bin", force=True).read_bytes() == b"version 1"


def test_errors(box: Sandbox, tmp_path: Path) -> None:
    repo = gitmlog.Repo.open(box.root)
    with pytest.raises(NotFoundError):
        gitmlog.Repo.open(tmp_path)
    with pytest.raises(NotFoundError):
        gitmlog.open(box.root / "nope")
    with pytest.raises(NotFoundError):
        gitmlog.open(tmp_path / "nope")
    with pytest.raises(UsageError):
        gitmlog.get("ext::sh", "x")
    with pytest.raises(NotFoundError) as caught:
        repo.add("nope")
    assert isinstance(caught.value, gitmlog.GitmlogError)
    assert caught.value.kind == "no-path"


def test_one_repo_from_several_threads(box: Sandbox) -> None:
    repo = gitmlog.Repo.open(box.root)
    for number in range(6):
        box.write(f"{number}.bin", bytes([number]))

    def work(number: int) -> bytes:
        repo.add(f"{number}.bin")
        with repo.open_file(f"{number}.bin") as stream:
            return stream.read()

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(6))) == [bytes([number]) for number in range(6)]
    assert len(repo.tracked) == 6


def test_the_user_configuration_is_a_parameter(box: Sandbox, hermetic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (hermetic / ".config", hermetic / "xdg"):
        (folder / "gitmlog").mkdir(parents=True)
        (folder / "gitmlog/config.toml").write_text(f'[remote.{folder.name.strip(".")}]\nurl = "s3://a"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(hermetic / "xdg"))
    names = [[r.name for r in gitmlog.Repo.open(box.root, user_config=file).remotes] for file in (api.USER_CONFIG, None)]
    assert names == [["origin", "xdg"], ["origin"]]
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert [r.name for r in gitmlog.Repo.open(box.root).remotes] == ["config", "origin"]


def test_everything_public_says_what_it_is() -> None:
    classes = [gitmlog.Repo, gitmlog.Run, gitmlog.ActiveRun, gitmlog.Runs]
    members = [member for each in classes[:2] for name, member in vars(each).items() if not name.startswith("_")]
    functions = [found for name in gitmlog.__all__ if inspect.isfunction(found := getattr(gitmlog, name))]
    assert len(functions) > 20
    for member in [*classes, *members, *functions]:
        real = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        assert inspect.getdoc(real), real
        if inspect.isfunction(real):
            assert "return" in real.__annotations__, real
    assert set(gitmlog.__all__) <= set(dir(gitmlog))
