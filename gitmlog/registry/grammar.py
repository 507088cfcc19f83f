"""Tags of registered versions and of stages: `NAME@v1.2.0`, `NAME#prod#3` (spec: policy.md, Tags)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

MAX_LENGTH = 500
"""Characters of a tag's name."""

_NAME = r"[a-zA-Z0-9](?:[a-zA-Z0-9/_-]*[a-zA-Z0-9])?"
_NUMBER = r"(?:0|[1-9][0-9]*)"
_PRE = rf"(?:{_NUMBER}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_BUILD = r"[0-9a-zA-Z-]+"
_SEMVER = rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_PRE}(?:\.{_PRE})*))?(?:\+({_BUILD}(?:\.{_BUILD})*))?"
_IS_NAME = re.compile(_NAME)
_IS_SEMVER = re.compile(_SEMVER)
_VERSION = re.compile(rf"({_NAME})@v{_SEMVER}")
_STAGE = re.compile(rf"({_NAME})#({_NAME})#([1-9][0-9]{{0,8}})")


@total_ordering
@dataclass(frozen=True)
class Version:
    """A version by the rules of semver 2. It sorts by its precedence, then by its build.

    Attributes:
        pre: what is before the release: ("rc", "1"); empty for the release.
        build: what says nothing about the order: "20260101".
    """

    major: int
    minor: int
    patch: int
    pre: tuple[str, ...] = ()
    build: str = ""

    def __str__(self) -> str:
        """As it stands in a tag: "v1.2.0-rc.1"."""
        pre, build = f"-{'.'.join(self.pre)}" if self.pre else "", f"+{self.build}" if self.build else ""
        return f"v{self.major}.{self.minor}.{self.patch}{pre}{build}"

    def __lt__(self, other: Version) -> bool:
        """A release comes after its pre-releases; numbers before words, and by their value."""
        return self._key() < other._key()

    def _key(self) -> tuple[object, ...]:
        parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.pre)
        return (self.major, self.minor, self.patch, not self.pre, parts, self.build)


@dataclass(frozen=True)
class VersionTag:
    """`NAME@VERSION`: this commit is that version of NAME."""

    name: str
    version: Version

    def __str__(self) -> str:
        """The name of the tag."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class StageTag:
    """`NAME#STAGE#NUMBER`: from now on this commit is what NAME is in STAGE; the highest number counts."""

    name: str
    stage: str
    number: int

    def __str__(self) -> str:
        """The name of the tag."""
        return f"{self.name}#{self.stage}#{self.number}"


def is_name(text: str) -> bool:
    """Whether `text` can name a model, or a stage."""
    return len(text) <= MAX_LENGTH and _IS_NAME.fullmatch(text) is not None


def parse_tag(tag: str) -> VersionTag | StageTag | None:
    """What the tag `tag` (without refs/tags/) says; None for any other tag, and for one that only looks like these."""
    if len(tag) > MAX_LENGTH:
        return None
    if found := _VERSION.fullmatch(tag):
        name, major, minor, patch, pre, build = found.groups()
        version = Version(int(major), int(minor), int(patch), tuple(pre.split(".")) if pre else (), build or "")
        return VersionTag(name, version)
    if found := _STAGE.fullmatch(tag):
        return StageTag(found[1], found[2], int(found[3]))
    return None


def is_ours(tag: str) -> bool:
    """Whether a tag is, or looks like, one of a version or stage: any other is nobody's business."""
    return "@" in tag or "#" in tag


def tag_problem(tag: str) -> str:
    """Why a tag that looks like one of a version or stage is none, or "" for a legal one and for all other tags."""
    if not is_ours(tag) or parse_tag(tag) is not None:
        return ""
    if len(tag) > MAX_LENGTH:
        return f"the name of a tag has at most {MAX_LENGTH} characters"
    name, separator, rest = tag.partition("@" if "@" in tag.partition("#")[0] else "#")
    if not is_name(name):
        return "NAME is letters, digits, '-', '_' and '/', and begins and ends with a letter or digit"
    return _version_problem(rest) if separator == "@" else _stage_problem(rest)


def _version_problem(rest: str) -> str:
    if rest in ("created", "deprecated"):
        return f"@{rest} is read differently by different tools"
    if _IS_SEMVER.fullmatch(rest):
        return f"a version begins with 'v': @v{rest}"
    if rest.endswith("!"):
        return "a version is not taken back: register a later one"
    if _IS_SEMVER.fullmatch(rest.partition("#")[0].removeprefix("v")):
        return "nothing follows the version"
    return "a version is three numbers, with 'v' before: @v1.2.0, or @v1.2.0-rc.1"


def _stage_problem(rest: str) -> str:
    stage, _, number = rest.partition("#")
    if "!" in rest:
        return "a stage is not taken back ('!' is read differently by different tools): assign another commit to it"
    if not is_name(stage):
        return "STAGE is letters, digits, '-', '_' and '/', and begins and ends with a letter or digit"
    if not number:
        return f"the number is missing: #{stage}#1, or one more than the highest that there is"
    return "the number is 1 or more, without leading zeros, and has at most 9 digits"
