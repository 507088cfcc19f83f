"""What looks like a secret goes into no record, log or command line (spec: run.md, Threats).

A net, not a proof. It takes time linear in the text, whoever wrote it: what may repeat is bounded, or cannot be entered
twice. Nothing is searched for by a pattern that begins with anything but fixed text, since most text holds no secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from gitmlog.core.secret_names import is_secret_name as is_secret_name  # noqa: PLC0414 - handed on
from gitmlog.core.secret_names import secret_level

REDACTED = "[redacted]"
_SHORTEST = 8
_SHORTEST_LINE = 16
_LONGEST_KEY = 1 << 16
_NAME = 60

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=:-]{16,}")
_NOTHING = re.compile(r"(?i)none|null|nil|true|false|undefined|\*+|<.*>|\[redacted\]?|\.\.\.|…")


def looks_like_token(value: str) -> bool:
    """Whether `value` has the look of a token: 16 characters or more without a space, letters and digits."""
    found = _TOKEN.fullmatch(value) is not None
    return found and any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


def secret_values(variables: Mapping[str, str]) -> list[str]:
    """The values of the environment variables whose names say that they are secrets."""
    return [value for name, value in variables.items() if is_secret_name(name)]


# What a known token begins with -> what follows.
_FORMS: dict[str, str] = {
    **dict.fromkeys(("AKIA", "ASIA"), r"[A-Z0-9]{16}(?![A-Za-z0-9])"),
    **{f"gh{kind}_": r"[A-Za-z0-9]{20,}" for kind in "pousr"},
    "github_pat_": r"[A-Za-z0-9_]{20,}",
    **{f"gl{kind}-": r"[A-Za-z0-9_.-]{16,}" for kind in ("pat", "dt", "rt", "cbt", "ptt", "ft", "imt", "soat")},
    "hf_": r"[A-Za-z0-9]{30,}",
    "sk-": r"(?=[A-Za-z_-]{0,80}[0-9])[A-Za-z0-9_-]{20,}",
    **{f"{kind}_{mode}_": r"[A-Za-z0-9]{16,}" for kind in ("sk", "rk") for mode in ("live", "test")},
    **{f"xox{kind}-": r"[A-Za-z0-9-]{10,}" for kind in "abeprs"},
    "xapp-": r"[A-Za-z0-9-]{16,}",
    "hooks.slack.com/services/": r"[A-Za-z0-9_/+-]{16,}",
    "AIza": r"[A-Za-z0-9_-]{35}",
    "ya29.": r"[A-Za-z0-9_-]{20,}",
    "GOCSPX-": r"[A-Za-z0-9_-]{20,}",
    "pypi-": r"[A-Za-z0-9_-]{40,}",
    "npm_": r"[A-Za-z0-9]{30,}",
    "dckr_pat_": r"[A-Za-z0-9_-]{20,}",
    "dop_v1_": r"[a-f0-9]{40,}",
    "wandb_v1_": r"[A-Za-z0-9_]{20,}",
    "gsk_": r"[A-Za-z0-9]{40,}",
    "r8_": r"[A-Za-z0-9]{36,}",
    "nvapi-": r"[A-Za-z0-9_-]{40,}",
    "SG.": r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "AGE-SECRET-KEY-1": r"[A-Z0-9]{40,}",
    "eyJ": r"[A-Za-z0-9_-]{8,}+\.eyJ[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+)?",
}


@cache
def _form(prefix: str) -> re.Pattern[str]:
    # The sign before is looked at after the prefix, so that the search is one for fixed text. Where the rest can fail after
    # many signs, it may not begin within a run of them: each run is read once.
    begun = re.escape(prefix)
    inside = "A-Za-z0-9_-" if prefix in ("eyJ", "sk-", "SG.") else "A-Za-z0-9"
    return re.compile(f"{begun}(?<![{inside}]{begun}){_FORMS[prefix]}")


_PRIVATE = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_PEM_BODY = r"(?:(?:\s|\\[rn]){0,4}(?:Proc-Type|DEK-Info|Version|Comment|Hash):[^\n\\]{0,200})*[A-Za-z0-9+/=\s\\|]*+"
_PEM = re.compile(f"-----BEGIN {_PRIVATE}{_PEM_BODY}(-----END {_PRIVATE})?")
_PEM_REST = re.compile(f"{_PEM_BODY}(-----END {_PRIVATE})?")

_URL_PASSWORD = re.compile(r"""://([^\s/:@"'<>]{0,256}):([^\s/"'<>]{1,512})@""")
_URL_TOKEN = re.compile(r"""://([A-Za-z0-9_-]{20,512})@""")
_QUERY = re.compile(r"""([?&;])([A-Za-z0-9_.-]{1,64}+)=([^&\s"'<>#]{1,8192}+)""")
_SIGNATURES = frozenset(("sig", "signature", "x-amz-signature", "x-goog-signature", "x-amz-credential"))
_HEADER = re.compile(r"""(?i)(bearer |authorization["']?[:=] {0,2}["']?(?:basic|token) )([A-Za-z0-9._~+/=-]{12,4096})""")

# What the names of secrets hold: found as fixed text, then read on (`_assigned`).
_MARKS = (
    *("passw", "passphrase", "secret", "credential", "token", "_pass", "_pwd", "dsn", "accountkey", "account_key", "auth_key"),
    *(f"{word}{sign}key" for word in ("api", "private", "access") for sign in ("", "_", "-")),
)
_NAME_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_REST_OF_NAME = re.compile(r"""([A-Za-z0-9_-]{0,60}+)(["']?)([ \t]{0,2}[=:][ \t]{0,2}|,?[ \t]{1,2})""")
_VALUE = re.compile(r""""[^"\n]{0,4096}"|'[^'\n]{0,4096}'|[^\s'"&,;)}\]]{1,4096}""")


class Scrubber:
    """Replaces secrets by `[redacted]`; safe to use from many threads.

    Attributes:
        values: what is replaced wherever it stands, the longest first.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form for value in values for form in _forms_of(value)}
        self.values = tuple(sorted(forms, key=lambda each: (-len(each), each)))

    def text(self, text: str) -> str:
        """`text` without what looks like a secret."""
        return self._text(text, strict=False)

    def command(self, arguments: Sequence[str]) -> tuple[str, ...]:
        """The arguments of a program without what looks like a secret; as many as before."""
        kept: list[str] = []
        hide_next = False
        for argument in arguments:
            hidden = hide_next and not argument.startswith("--")
            kept.append(REDACTED if hidden else self._argument(argument))
            hide_next = not hidden and argument.startswith("-") and "=" not in argument and is_secret_name(argument)
        return tuple(kept)

    def _argument(self, argument: str) -> str:
        name, sign, value = argument.partition("=")
        known = len(name) <= 250 and not re.search(r"\s", name) and is_secret_name(name)
        if sign and known and value and not _NOTHING.fullmatch(value):
            return f"{self._text(name, strict=True)}={REDACTED}"
        return self._text(argument, strict=True)

    def param(self, key: str, value: Any) -> Any:
        """The value of a parameter or tag: the same, unless it is text that looks like a secret."""
        if isinstance(value, tuple):
            return tuple(self.param(key, each) for each in value)
        if not isinstance(value, str) or not value:
            return value
        level = secret_level(key)
        if level == "sure" or (level == "token" and looks_like_token(value)):
            return REDACTED
        return self.text(value)

    def stream(self) -> Callable[[str], str]:
        """As `text`, for a text that comes in pieces of whole lines: a private key may begin in one and end in another."""
        return _Stream(self)

    def _text(self, text: str, *, strict: bool) -> str:
        for value in self.values:
            if value in text:
                text = text.replace(value, REDACTED)
        for prefix in _FORMS:
            if prefix in text:
                text = _form(prefix).sub(REDACTED, text)
        if "PRIVATE KEY" in text:
            text = _PEM.sub(REDACTED, text)
        return _named(_addresses(text), strict)


def _forms_of(value: str) -> set[str]:
    """A secret as it is, in a URL, in JSON, and each of its lines."""
    import json
    from urllib.parse import quote

    whole = value.strip()
    if len(whole) < _SHORTEST:
        return set()
    forms = {whole, quote(whole, safe="", errors="replace"), json.dumps(whole)[1:-1], json.dumps(whole, ensure_ascii=False)[1:-1]}
    return forms | {line.strip() for line in whole.splitlines() if len(line.strip()) >= _SHORTEST_LINE}


def _addresses(text: str) -> str:
    if "://" in text:
        text = _URL_TOKEN.sub(f"://{REDACTED}@", text)
        text = _URL_PASSWORD.sub(rf"://\1:{REDACTED}@", text)
    if "?" in text or "&" in text:
        text = _QUERY.sub(_query, text)
    lower = _lower(text)
    return _HEADER.sub(_header, text) if "bearer " in lower or "authorization" in lower else text


def _query(found: re.Match[str]) -> str:
    name = found[2]
    if name.lower() in _SIGNATURES or is_secret_name(name):
        return f"{found[1]}{name}={REDACTED}"
    return found[0]


def _header(found: re.Match[str]) -> str:
    if found[1].lower() == "bearer " and not any(c.isdigit() for c in found[2]):
        return found[0]
    return f"{found[1]}{REDACTED}"


def _lower(text: str) -> str:
    """In small letters, each at its place."""
    lower = text.lower()
    return lower if len(lower) == len(text) else text.replace("\u0130", "I").lower()  # the one letter that becomes two


def _named(text: str, strict: bool) -> str:
    """Without the values in NAME=VALUE, "NAME": "VALUE" and --NAME VALUE."""
    lower = _lower(text)
    spans = {start: end for mark in _MARKS if mark in lower for start, end in _values_at(text, lower, mark, strict)}
    parts, at = [], 0
    for start, end in sorted(spans.items()):
        if start >= at:
            parts += [text[at:start], REDACTED]
            at = end
    return "".join([*parts, text[at:]]) if parts else text


def _values_at(text: str, lower: str, mark: str, strict: bool) -> Iterator[tuple[int, int]]:
    start = lower.find(mark)
    while start >= 0:
        end = start + len(mark)
        begun, end, secret = _assigned(text, start, end, strict)
        if secret:
            yield begun, end
        start = lower.find(mark, end)  # what was read as a value is not read again


def _assigned(text: str, start: int, end: int, strict: bool) -> tuple[int, int, bool]:
    """Where the value of the name around text[start:end] begins and ends, and whether it is a secret."""
    rest = _REST_OF_NAME.match(text, end)
    if rest is None:
        return end, end, False
    before = text[max(0, start - _NAME) : start]
    name = f"{before[len(before.rstrip(_NAME_SIGNS)) :]}{text[start:end]}{rest[1]}"
    option = rest[3].strip() in ("", ",")
    value = _VALUE.match(text, rest.end()) if is_secret_name(name) and (name.startswith("-") or not option) else None
    if value is None:
        return end, end, False
    quoted = value[0][0] in "\"'"
    bare = value[0][1:-1] if quoted else value[0]
    prose = not strict and not rest[2] and not quoted and ":" in rest[3]
    usage = option and bare.isupper() and bare.isalpha()
    secret = not usage and _is_secret(name, bare, strict=strict, prose=prose)
    return value.start() + quoted, value.end() - quoted, secret


def _is_secret(name: str, value: str, *, strict: bool, prose: bool) -> bool:
    if not value or _NOTHING.fullmatch(value):
        return False
    if prose and (len(value) < 6 or not any(c.isdigit() for c in value)):  # `password: missing`
        return False
    return strict or secret_level(name) == "sure" or looks_like_token(value)


class _Stream:
    """See Scrubber.stream."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._within = 0

    def __call__(self, text: str) -> str:
        if self._within:
            text = self._go_on(text)
        if "PRIVATE KEY" in text:
            last = list(_PEM.finditer(text))[-1:]
            self._within = int(bool(last) and last[0][1] is None and last[0].end() == len(text))
        return self._scrubber.text(text)

    def _go_on(self, text: str) -> str:
        found = _PEM_REST.match(text)
        end = found.end() if found else 0
        over = found is None or found[1] is not None or end < len(text) or self._within > _LONGEST_KEY
        self._within = 0 if over else self._within + end
        return text[end:]
