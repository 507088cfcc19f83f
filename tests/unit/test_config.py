"""Configuration files: a closed schema, three layers, and nothing private is committed (spec: config.md)."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmlog.core.errors import ConfigError, NotFoundError, UsageError
from gitmlog.repo.config import Config, load_config, parse_config, parse_value, read_layer, remove_remote, write_setting
from gitmlog.repo.schema import KEYS, LAYERS, REMOTE_KEYS, Layer, Value, find_key, is_secret

ALL = [*KEYS, *(f"remote.origin.{name}" for name in REMOTE_KEYS)]


def a_value(name: str) -> Value:
    key = find_key(name)
    assert key is not None
    if name == "version":
        return 1
    return {int: 7, str: key.choices[0] if key.choices else "x", list: list(key.choices[:1]) or ["A_*"]}[key.type]  # type: ignore[return-value]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("layer", LAYERS)
def test_every_key_stands_where_it_may(name: str, layer: Layer, tmp_path: Path) -> None:
    key = find_key(name)
    assert key is not None
    file = tmp_path / "config.toml"
    if layer == "shared" and not key.shared:
        with pytest.raises(UsageError) as caught:
            write_setting(file, layer, name, a_value(name))
        assert caught.value.kind == "not-shared"
        assert not file.exists()
        return
    write_setting(file, layer, name, a_value(name))
    assert read_layer(file, layer)[name] == a_value(name)
    if name != "version":
        write_setting(file, layer, name, None)
        assert read_layer(file, layer) == {"version": 1}


@pytest.mark.parametrize("name", [name for name in ALL if not find_key(name).shared])  # type: ignore[union-attr]
def test_a_private_key_in_the_committed_file_is_refused(name: str) -> None:
    table, _, last = name.rpartition(".")
    value = a_value(name)
    text = f"[{table}]\n{last} = {value!r}\n"
    parse_config(text.encode(), "x", "local")
    with pytest.raises(ConfigError) as caught:
        parse_config(text.encode(), ".gitmlog/config.toml", "shared")
    assert name in caught.value.message
    assert ".gitmlog/config.toml" in caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "x: unknown key"),
        ("[core]\nhook = 'sh'", "core.hook: unknown key"),
        ("[remote.origin]\ncommand = 'sh'", "remote.origin.command: unknown key"),
        ("[remote.'a b']\nurl = 's3://x'", "unknown key"),
        ("[remote.'-x']\nurl = 's3://x'", "unknown key"),
        ("[remote.a.b]\nurl = 's3://x'", "unknown"),
        ("[remote.a.b.c]\nurl = 's3://x'", "unknown table"),
        ("[core]\njobs = 0", "core.jobs: must be at least 1"),
        ("[core]\njobs = true", "core.jobs: must be an integer"),
        ("[core]\njobs = 0x" + "f" * 1000, "core.jobs: is too large"),
        ("version = 0x" + "f" * 1000, "version: is too large"),
        ("version = 0", "version: must be at least 1"),
        ("[core]\nremote = ''", "core.remote: must be a string"),
        ('[core]\nremote = "a\\nb"', "core.remote: must be a string"),
        ('[core]\nremote = "\\u001b[31m"', "core.remote: must be a string"),
        ("[cache]\nlink = []", "cache.link: must be a list"),
        ("[cache]\nlink = ['copy', 'sh']", "cache.link: must be a list"),
        ("[cache]\nlink = 'copy'", "cache.link: must be a list"),
        ("[cache]\nlink = [['copy']]", "cache.link: must be a list"),
        ("[runs]\nwithout = ['sleep']", "runs.without: must be a list of code, command"),
        ("[runs]\nwithout = [1]", "runs.without: must be a list"),
        ("[runs]\nvariables = ['A B']", "runs.variables: must be a list"),
        ("[runs]\nvariables = ['']", "runs.variables: must be a list"),
        ("[runs]\ninterval = 0", "runs.interval: must be at least 1"),
        ('"\\u001b[31m" = 1', "unknown key"),
        ("a = ", "x:1: not TOML"),
        ("a = 1\na = 2", "not TOML"),
        ("a = " + "[" * 40, "nested deeper"),
        ("'='." + "a." * 400_000 + "a = 1", "nested deeper"),
        ("#" * (1 << 20) + "\n", "at most"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    begun = time.process_time()
    with pytest.raises(ConfigError) as caught:
        parse_config(text.encode(), "x", "local")
    assert time.process_time() - begun < 1
    assert caught.value.kind == "bad-config"
    assert caught.value.message.startswith("x")
    assert said in caught.value.message
    assert caught.value.message.isprintable()
    assert caught.value.hint


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ConfigError, match="not UTF-8"):
        parse_config(b"\xff", "x", "local")


def test_a_newer_version_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(b"version = 2\nnew = 1\n", "x", "shared")
    assert caught.value.kind == "newer-version"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse_config(data, "x", "local")
    except ConfigError as error:
        assert error.kind in ("bad-config", "newer-version")


def test_the_first_layer_that_has_a_key_wins(tmp_path: Path) -> None:
    files: dict[Layer, Path] = {layer: tmp_path / f"{layer}.toml" for layer in LAYERS}
    for count, layer in enumerate(reversed(LAYERS), 1):
        write_setting(files[layer], layer, "core.remote", layer)
        config = load_config({layer: path for layer, path in files.items() if path.exists()})
        assert config.find("core.remote") == (layer, layer)
        assert len(list(tmp_path.iterdir())) == count


def test_what_nobody_set_has_its_default() -> None:
    config = Config({})
    assert config.integer("gc.grace") == 14
    assert config.get("cache.link") == ["reflink", "copy"]
    assert config.get("core.remote") is None
    assert config.remotes() == []


def test_comments_and_order_survive_a_change(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    text = "version = 1 # ours\n\n[remote.b]\nurl = 's3://b'\n\n# the old one\n[remote.a]\nurl = 's3://a'\n"
    file.write_text(text)
    write_setting(file, "shared", "remote.a.url", "s3://c")
    assert file.read_text() == text.replace("'s3://a'", '"s3://c"')


def test_private_files_are_private(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    os.umask(previous := os.umask(0))
    os.umask(0)
    try:
        write_setting(file, "local", "remote.origin.secret_key", "x")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    finally:
        os.umask(previous)


def test_a_broken_file_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("oops")
    with pytest.raises(ConfigError):
        write_setting(file, "local", "core.jobs", 2)
    assert file.read_text() == "oops"


def test_what_is_not_set_cannot_be_removed(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        write_setting(tmp_path / "config.toml", "local", "core.jobs", None)
    assert caught.value.kind == "no-key"


def test_removing_a_remote_removes_all_its_keys(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    for name in ("remote.a.url", "remote.a.region", "remote.b.url"):
        write_setting(file, "shared", name, "x")
    assert remove_remote(file, "shared", "a")
    assert not remove_remote(file, "shared", "a")
    assert set(read_layer(file, "shared")) == {"version", "remote.b.url"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("core.jobs", "8", 8), ("cache.link", "hardlink, copy", ["hardlink", "copy"]), ("core.remote", "8", "8")],
)
def test_values_from_the_command_line(name: str, text: str, value: Value) -> None:
    assert parse_value(name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("core.jobs", "many", "bad-value"),
        ("core.jobs", "0", "bad-value"),
        ("core.jobs", "--8", "bad-value"),
        ("core.jobs", "٨", "bad-value"),
        ("core.jobs", "9" * 5000, "bad-value"),
        ("cache.link", "sh", "bad-value"),
        ("core.remote", "", "bad-value"),
        ("core.editor", "vi", "unknown-key"),
        ("remote.origin.nope", "x", "unknown-key"),
    ],
)
def test_values_that_are_refused(name: str, text: str, kind: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_value(name, text)
    assert caught.value.kind == kind


def test_secrets_are_known_as_secrets() -> None:
    for name in REMOTE_KEYS:
        assert is_secret(f"remote.origin.{name}") == (
            any(word in name for word in ("secret", "password", "token", "account_key"))
        )
