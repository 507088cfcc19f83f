"""policy.toml."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmlog.core.errors import ConfigError
from gitmlog.ops.topics import find_page
from gitmlog.registry.policy import MAX_BYTES, Policy, StageRule, fits_branch, parse_policy
from tests.unit.test_docs import blocks

FINGERPRINT = "gpg:" + "0123456789ABCDEF" * 2 + "01234567"


def read(text: str) -> Policy:
    return parse_policy(f"version = 1\n{text}".encode())


def test_without_anything_the_defaults_hold() -> None:
    assert read("") == Policy(None, frozenset(), None, {})


def test_all_keys() -> None:
    policy = read(
        f"""[branches]
protected = ["main", "release/*"]
[tags]
signed = ["run", "stage"]
signers = ["ada@example.org", "{FINGERPRINT}"]
[stages.prod]
branches = ["main"]
signers = []
[stages."eu/prod"]
branches = []
"""
    )
    rules = {"prod": StageRule(("main",), ()), "eu/prod": StageRule(())}
    assert policy == Policy(("main", "release/*"), frozenset({"run", "stage"}), ("ada@example.org", FINGERPRINT), rules)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("nope = 1", "nope: unknown key"),
        ("[branches]\nnope = 1", "branches.nope: unknown key"),
        ("[tags]\nnope = 1", "tags.nope"),
        ("[stages.prod]\nnope = 1\nbranches = []", "stages.prod.nope"),
        ("[stages.prod]", "branches, signers, or both"),
        ("[stages]\nprod = 1", "stages.prod: must be a table"),
        ('[stages."a.b"]\nbranches = []', "no stage"),
        ("branches = 1", "branches: must be a table"),
        ("[branches]\nprotected = 'main'", "array"),
        ("[branches]\nprotected = [1]", "array"),
        ('[branches]\nprotected = ["a b"]', "no branch"),
        ('[branches]\nprotected = ["-\\n"]', "no branch"),
        ('[branches]\nprotected = [""]', "no branch"),
        ('[tags]\nsigned = ["all"]', "run, version, stage"),
        ("[tags]\nsigned = [[]]", "run, version, stage"),
        ("[tags]\nsigned = 'run'", "run, version, stage"),
        ('[tags]\nsigners = ["gpg:ABCD"]', "FINGERPRINT"),
        (f'[tags]\nsigners = ["{FINGERPRINT.lower()}"]', "FINGERPRINT"),
        ('[tags]\nsigners = ["a,b"]', "FINGERPRINT"),
        ('[tags]\nsigners = ["a b"]', "FINGERPRINT"),
        (f"[tags]\nsigners = {['a'] * 1001}", "at most 1,000"),
        ("[", "TOML"),
        ("[branches]\n[branches]", "TOML"),
        (f"a = {'[' * 40}", "nested"),
    ],
)
def test_what_breaks_the_rules_is_named(text: str, word: str) -> None:
    with pytest.raises(ConfigError, match=r"policy\.toml") as error:
        read(text)
    assert error.value.kind == "bad-policy"
    assert word in error.value.message
    assert error.value.hint


@pytest.mark.parametrize("data", [b"", b"version = 0", b"version = '1'", b"version = true", b"\xff", b"#" * (MAX_BYTES + 1)])
def test_no_policy_at_all(data: bytes) -> None:
    with pytest.raises(ConfigError) as error:
        parse_policy(data)
    assert error.value.kind == "bad-policy"


def test_a_newer_one_is_not_guessed() -> None:
    with pytest.raises(ConfigError) as error:
        parse_policy(b"version = 2\nwhatever = 1")
    assert error.value.kind == "newer-version"


@given(st.binary(max_size=300) | st.text(alphabet='[]{}="\n.#abst12 ', max_size=300).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse_policy(data)
    except ConfigError as error:
        assert error.kind in ("bad-policy", "newer-version")


@pytest.mark.parametrize(
    ("pattern", "branch", "fits"),
    [
        ("main", "main", True),
        ("main", "main2", False),
        ("main", "Main", False),
        ("release/*", "release/1/2", True),
        ("release/*", "release/", True),
        ("release/*", "release", False),
        ("*", "anything/at all", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("v1.0", "v1x0", False),
        ("*" * 200 + "x", "y" * 200, False),
        ("a*bc*c", "abcc", True),
        ("a*bc*c", "abc", False),
    ],
)
def test_patterns_of_branches(pattern: str, branch: str, fits: bool) -> None:
    assert fits_branch([pattern], branch) is fits


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_patterns_mean_what_a_shell_means(pattern: str, branch: str) -> None:
    from fnmatch import fnmatchcase

    assert fits_branch([pattern], branch) == fnmatchcase(branch, pattern)


def test_the_examples_of_the_specification(tmp_path: Path) -> None:
    page = find_page("policy")
    assert page is not None
    examples = blocks(page.text, "toml")
    assert examples
    for example in examples:
        assert parse_policy(example.encode()) != Policy()
    if shutil.which("ssh-keygen"):
        for number, example in enumerate(blocks(page.text, "signers")):
            key = tmp_path / str(number)
            key.write_text("ssh-ed25519 " + example.split("ssh-ed25519 ")[1])
            subprocess.run(["ssh-keygen", "-l", "-f", str(key)], check=True, capture_output=True)
