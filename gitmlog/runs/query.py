"""The language of `--where` and `--sort`: its words and its grammar (guide: finding-runs)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gitmlog.core.errors import UsageError
from gitmlog.core.paths import is_utf8
from gitmlog.core.toml import shorten
from gitmlog.runs.query_nodes import (
    ATTRIBUTES,
    COMPARISONS,
    HINT,
    SPACES,
    Field,
    Has,
    Join,
    Key,
    Literal,
    Node,
    Not,
    Test,
    bad_query,
    joining,
)

__all__ = ["Field", "parse_field", "parse_fields", "parse_sort", "parse_where"]

MAX_LENGTH = 10_000
MAX_DEPTH = 50
MAX_TESTS = 200

_TOKEN = re.compile(
    r"""(?P<blank>\s+)
      | (?P<op>==|!=|<>|<=|>=|!~|[=<>~(),])
      | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<word>[^\s=!<>~(),'"]+(?:(?<=\.)(?:'(?:[^']|'')*'|"(?:[^"]|"")*"))?)
      | (?P<odd>.)""",
    re.VERBOSE | re.DOTALL,
)
_SAME = {"==": "=", "<>": "!="}
_KEYWORDS = ("and", "or", "not", "in", "like")
Bare: TypeAlias = Callable[[str], Field | None]
"""What a word means that is neither an attribute nor has a namespace; None: nothing."""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


def parse_where(text: str, bare: Bare | None = None) -> Node | None:
    """The condition in `text`; None for a blank one. Raises UsageError, kind `bad-query`."""
    parser = _Parser(text, bare)
    return parser.whole() if parser.tokens else None


def parse_sort(keys: str | Sequence[str], bare: Bare | None = None) -> tuple[Key, ...]:
    """The keys of "-metrics.acc,started", or of each of several such. Raises UsageError, kind `bad-query`."""
    texts = [keys] if isinstance(keys, str) else keys
    return tuple(key for text in texts for key in _Parser(text, bare).sort_keys())


def parse_fields(text: str) -> tuple[Field, ...]:
    """The names in "name,metrics.acc"; `metrics.*` stands for all of them; any single word may be an attribute.

    Raises:
        UsageError: kind `bad-query`.
    """
    return tuple(Field(*split_field(name)) for _, name in _Parser(text).names())


def parse_field(text: str) -> Field:
    """The one name in `text`. Raises UsageError, kind `bad-query`."""
    parser = _Parser(text)
    found = parser.field(parser.next_word("a name is missing"))
    parser.end()
    return found


def split_field(word: str) -> tuple[str, str]:
    """Namespace and key of a word; ("", word) when it has no namespace that is known."""
    space, dot, key = word.partition(".")
    if not dot or space not in SPACES:
        return "", word
    return space, _unquoted(key) if key[:1] in ("'", '"') else key


def _unquoted(text: str) -> str:
    return text[1:-1].replace(text[0] * 2, text[0])


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, bare: Bare | None = None) -> None:
        if len(text) > MAX_LENGTH:
            raise bad_query(text, MAX_LENGTH, f"the query has {len(text):,} characters (at most {MAX_LENGTH:,})")
        if not is_utf8(text):
            at = next(place for place, character in enumerate(text) if not is_utf8(character))
            raise bad_query(text, at, "a character that is not UTF-8")
        self.source = text
        self.bare = bare
        self.tokens = list(self._tokens())
        self.place = 0
        self.tests = 0

    def _tokens(self) -> Iterator[_Token]:
        for found in _TOKEN.finditer(self.source):
            kind = str(found.lastgroup)
            if kind == "odd":
                problem = "a string has no end" if found[0] in "'\"" else f"{found[0]!r} is not understood"
                raise bad_query(self.source, found.start(), problem)
            if kind != "blank":
                yield _Token(kind, found[0], found.start())

    def peek(self) -> _Token:
        """The next token; an empty one at the end."""
        return self.tokens[self.place] if self.place < len(self.tokens) else _Token("end", "", len(self.source))

    def next(self) -> _Token:
        """Take the next token."""
        token = self.peek()
        self.place += 1
        return token

    def takes(self, *texts: str) -> str:
        """The next token, when it is one of `texts` (words in any case), or ""."""
        token = self.peek()
        said = token.text.lower() if token.kind == "word" else token.text
        if token.kind not in ("op", "word") or said not in texts:
            return ""
        self.place += 1
        return said

    def fail(self, token: _Token, problem: str, hint: str = HINT) -> UsageError:
        """The error that points at `token`."""
        return bad_query(self.source, token.at, problem, hint)

    def next_word(self, problem: str) -> _Token:
        """Take a word that is no keyword."""
        token = self.next()
        if token.kind != "word" or token.text.lower() in _KEYWORDS:
            raise self.fail(token, problem)
        return token

    def end(self) -> None:
        """Refuse what is left."""
        token = self.peek()
        if token.kind != "end":
            raise self.fail(token, "here `and`, `or` or the end is expected", self._end_hint(token))

    def _end_hint(self, token: _Token) -> str:
        before = self.tokens[self.place - 1]
        if token.kind != "word" or before.kind != "word" or joining(token.text) or split_field(token.text)[0]:
            return joining(token.text) or HINT
        after = (each for each in self.tokens[self.place :] if each.kind != "word" or each.text.lower() in _KEYWORDS)
        end = next(after, _Token("end", "", len(self.source))).at
        return f"a text of several words goes in quotes: {shorten(repr(self.source[before.at : end].strip()))}"

    def whole(self) -> Node:
        """The whole condition."""
        found = self.either(0)
        self.end()
        return found

    def either(self, depth: int) -> Node:
        """`a or b or …`."""
        parts = [self.both(depth)]
        while self.takes("or"):
            parts.append(self.both(depth))
        return parts[0] if len(parts) == 1 else Join("or", tuple(parts))

    def both(self, depth: int) -> Node:
        """`a and b and …`."""
        parts = [self.single(depth)]
        while self.takes("and"):
            parts.append(self.single(depth))
        return parts[0] if len(parts) == 1 else Join("and", tuple(parts))

    def single(self, depth: int) -> Node:
        """`not a`, `(a)`, or a comparison."""
        token = self.peek()
        if depth > MAX_DEPTH:
            raise self.fail(token, f"nested deeper than {MAX_DEPTH}")
        if self.takes("not"):
            return Not(self.single(depth + 1))
        if self.takes("("):
            found = self.either(depth + 1)
            if not self.takes(")"):
                raise self.fail(self.peek(), f"the parenthesis at character {token.at + 1} is not closed")
            return found
        return self.test()

    def test(self) -> Node:
        """A name, and what it is compared with."""
        self.tests += 1
        token = self.next_word("the name of a metric, parameter or attribute is missing")
        if self.tests > MAX_TESTS:
            raise self.fail(token, f"more than {MAX_TESTS} comparisons")
        field = self.field(token)
        if op := self.takes(*COMPARISONS, *_SAME):
            return Test(field, _SAME.get(op, op), (self.value(op),))
        negated = self.peek().text.lower() == "not" and bool(self.takes("not"))
        op = self.takes("in", "like")
        if negated and not op:
            raise self.fail(self.peek(), "after `not` here, `in` or `like` is expected")
        if not op:
            return Has(field)
        found = Test(field, op, self.list() if op == "in" else (self.value(op),))
        return Not(found) if negated else found

    def field(self, token: _Token) -> Field:
        """The fact that a word names. Raises UsageError, kind `bad-query`."""
        space, key = split_field(token.text)
        if space and not key:
            raise self.fail(token, f"after `{space}.` a name is missing", f"`{space}.acc`, or in quotes: `{space}.'val acc'`")
        if space or key in ATTRIBUTES:
            return Field(space, key)
        if (found := self.bare(key) if self.bare else None) is None:
            raise self.fail(token, f"there is no attribute {shorten(key)!r}", joining(key) or _near(key))
        return found

    def value(self, after: str) -> Literal:
        """A number, a string or a word."""
        token = self.next()
        if token.kind == "text":
            return Literal(_unquoted(token.text), quoted=True, at=token.at)
        if token.kind != "word" or token.text.lower() in _KEYWORDS:
            raise self.fail(token, f"after `{after}` a value is missing")
        if split_field(token.text)[0]:
            raise self.fail(
                token, "only a value may stand there", "put a text in quotes; two facts are not compared with each other"
            )
        return Literal(token.text, quoted=False, at=token.at)

    def list(self) -> tuple[Literal, ...]:
        """`(value, value, …)`."""
        if not self.takes("("):
            raise self.fail(self.peek(), "after `in` a list in parentheses is expected")
        values = [self.value("(")]
        while self.takes(","):
            values.append(self.value(","))
        if not self.takes(")"):
            raise self.fail(self.peek(), "in a list, `,` or `)` is expected")
        return tuple(values)

    def names(self) -> Iterator[tuple[_Token, str]]:
        """Words between commas."""
        while True:
            token = self.next_word("a name is missing")
            yield token, token.text
            if self.peek().kind == "end":
                return
            if not self.takes(","):
                raise self.fail(self.peek(), "between names a comma is expected")

    def sort_keys(self) -> Iterator[Key]:
        """Names between commas, each with `-` before it or `asc` or `desc` after it."""
        while True:
            token = self.next_word("a name to sort by is missing")
            name = token.text.lstrip("+-") if token.text[:1] in "+-" else token.text
            field = self.field(_Token("word", name, token.at))
            descending = token.text.startswith("-") or self.takes("asc", "desc") == "desc"
            yield Key(field, descending)
            if self.peek().kind == "end":
                return
            if not self.takes(","):
                raise self.fail(self.peek(), "between names a comma is expected")


def _near(word: str) -> str:
    from difflib import get_close_matches

    space, dot, key = word.partition(".")
    near = get_close_matches(space.lower(), SPACES, 1, 0.5) if dot else get_close_matches(word.lower(), ATTRIBUTES, 1)
    if near:
        return f"did you mean `{near[0]}{dot}{key}`?"
    if dot:
        return f"before the dot stands one of {', '.join(SPACES)}"
    return f"`metrics.{word}`, `params.{word}` or `tags.{word}`? The attributes are {', '.join(ATTRIBUTES)}"
