"""What a server holds a push against: the committed `.gitmlog/policy.toml` (spec: policy.md). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from gitmlog.core.errors import ConfigError
from gitmlog.core.toml import TomlError, parse_toml, shorten
from gitmlog.registry.grammar import is_name

POLICY_PATH = ".gitmlog/policy.toml"
SIGNERS_PATH = ".gitmlog/allowed_signers"
VERSION = 1
MAX_BYTES = 1 << 20

TagKind = Literal["run", "version", "stage"]
TAG_KINDS: tuple[TagKind, ...] = ("run", "version", "stage")

_MAX_ITEMS = 1000
_BRANCH = re.compile(r"[^\x00-\x20\x7f~^:?\[\\]{1,250}")
_PRINCIPAL = re.compile(r"[^\x00-\x20\x7f\",:!#]{1,250}")
_GPG = re.compile(r"gpg:[0-9A-F]{40}(?:[0-9A-F]{24})?")


@dataclass(frozen=True)
class StageRule:
    """Who may put what into a stage.

    Attributes:
        branches: patterns of branches: the commit must be on one that fits; None: any commit may.
        signers: the tag must be signed by one of these; None: by anybody, or by nobody.
    """

    branches: tuple[str, ...] | None = None
    signers: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Policy:
    """The whole of policy.toml.

    Attributes:
        protected: patterns of branches that are neither deleted nor rewound; None: the one that HEAD names.
        signed: the kinds of tags that must be signed.
        signers: by whom; None: by anybody in the allowed signers.
        stages: the rule of each stage that has one.
    """

    protected: tuple[str, ...] | None = None
    signed: frozenset[TagKind] = frozenset()
    signers: tuple[str, ...] | None = None
    stages: Mapping[str, StageRule] = field(default_factory=dict)


def fits_branch(patterns: Sequence[str], branch: str) -> bool:
    """Whether a branch is one of `patterns`, in which `*` stands for any characters, also none and `/`."""
    return any(_fits(each, branch) for each in patterns)


def _fits(pattern: str, branch: str) -> bool:
    """In one pass, whatever the pattern."""
    first, *others = pattern.split("*")
    if not others:
        return branch == first
    *middle, last = others
    if not branch.startswith(first) or not branch.endswith(last) or len(branch) < len(first) + len(last):
        return False
    place, end = len(first), len(branch) - len(last)
    for part in middle:
        if (found := branch.find(part, place, end)) < 0:
            return False
        place = found + len(part)
    return True


def parse_policy(data: bytes, where: str = POLICY_PATH) -> Policy:
    """The policy in `data`; `where` names it in errors.

    Raises:
        ConfigError: kinds `bad-policy` and `newer-version`.
    """
    if len(data) > MAX_BYTES:
        _fail(where, "", f"{len(data)} bytes (at most {MAX_BYTES})")
    try:
        table = parse_toml(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        _fail(where, "", f"not UTF-8 at byte {error.start}")
    except TomlError as error:
        _fail(f"{where}:{error.line}" if error.line else where, "", str(error))
    _check_version(table.pop("version", None), where)
    return _policy(_Table(table, where))


def _check_version(version: object, where: str) -> None:
    if type(version) is not int or not 1 <= version < 1 << 63:
        _fail(where, "version", "the first line must be `version = 1`")
    if version > VERSION:
        hint = "upgrade gitmlog where this was said: `python -m pip install --upgrade gitmlog`"
        raise ConfigError(f"{where} is of version {version}; this gitmlog reads up to {VERSION}", kind="newer-version", hint=hint)


def _policy(table: _Table) -> Policy:
    branches, tags, stages = table.sub("branches"), table.sub("tags"), table.sub("stages")
    rules = {name: _rule(stages.sub(name)) for name in list(stages.found) if _is_stage(stages, name)}
    protected, signers = branches.texts("protected", _BRANCH), tags.texts("signers")
    chosen = tags.choices("signed", TAG_KINDS)
    signed = frozenset(kind for kind in TAG_KINDS if kind in chosen)
    for each in (branches, tags, stages, table):
        each.end()
    return Policy(protected, signed, signers, rules)


def _is_stage(stages: _Table, name: str) -> bool:
    if not is_name(name):
        stages.fail(name, "no stage can have this name")
    return True


def _rule(table: _Table) -> StageRule:
    rule = StageRule(table.texts("branches", _BRANCH), table.texts("signers"))
    if rule == StageRule():
        table.fail("branches", "a stage has branches, signers, or both; one without an entry is free")
    table.end()
    return rule


class _Table:
    """Takes what is known out of a table; what is left at the end is an error."""

    def __init__(self, found: dict[str, Any], where: str, prefix: str = "") -> None:
        self.found, self.where, self.prefix = found, where, prefix

    def fail(self, key: str, problem: str) -> NoReturn:
        _fail(self.where, self.prefix + key, problem)

    def sub(self, key: str) -> _Table:
        found = self.found.pop(key, {})
        if not isinstance(found, dict):
            self.fail(key, "must be a table")
        return _Table(found, self.where, f"{self.prefix}{key}.")

    def texts(self, key: str, form: re.Pattern[str] | None = None) -> tuple[str, ...] | None:
        """An array of strings of this form, of signers where none is given; None when it is missing."""
        if key not in self.found:
            return None
        found = self.found.pop(key)
        if not isinstance(found, list) or len(found) > _MAX_ITEMS or not all(isinstance(each, str) for each in found):
            self.fail(key, f"must be an array of at most {_MAX_ITEMS:,} strings")
        for each in found:
            if not (form.fullmatch(each) if form else _is_signer(each)):
                self.fail(key, f"{shorten(each)!r} is no {'branch' if form else 'principal, and no gpg:FINGERPRINT in full'}")
        return tuple(found)

    def choices(self, key: str, known: Sequence[str]) -> list[str]:
        found = self.found.pop(key, [])
        if not isinstance(found, list) or not all(isinstance(each, str) and each in known for each in found):
            self.fail(key, f"must be an array of {', '.join(known)}")
        return found

    def end(self) -> None:
        for key in self.found:
            self.fail(key, "unknown key")


def _is_signer(text: str) -> bool:
    return bool(_GPG.fullmatch(text) if text.startswith("gpg:") else _PRINCIPAL.fullmatch(text))


def _fail(where: str, key: str, problem: str) -> NoReturn:
    subject = f"{shorten(key)}: " if key else ""
    hint = "`gitmlog help policy` shows its rules"
    raise ConfigError(f"{where}: {subject}{problem}", kind="bad-policy", hint=hint)
