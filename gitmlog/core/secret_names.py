"""Which names say that their value is a secret (spec: run.md, Threats)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

Level = Literal["no", "token", "sure"]
_LONGEST = 300


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SURE = _words("""
    passwords passcode secrets credential credentials sshpass secretkey privatekey accesskey accountkey authkey authorization
    bearer dsn jwt webhook
""")
_SURE_ENDS = ("password", "passwd", "passphrase", "secret", "apikey")
_TOKENS = _words("token authtoken accesstoken refreshtoken bearertoken apitoken sessiontoken hftoken")
_KEYS_OF = _words("""
    api private secret access account encryption signing auth ssh master storage deploy service license subscription
""")
_PASSWORDS_OF = _words("""
    db database user ssh smtp mysql pg postgres redis mongo admin root ftp mail email http https proxy basic auth my login sudo
    gpg key registry docker git
""")
# A name that ends so says something about a secret, and is none.
_ABOUT = _words("""
    file path dir folder home sock socket helper name length len size type count policy prompt required enabled env
""")
# What a token is of in a language model or a parser.
_TOKENS_OF_TEXT = _words("""
    pad eos bos unk sep cls mask special stop start end image audio video text per first last next prev previous begin new max
    min num word sub target source input output prompt context padding separator decoder encoder forced think thinking tool
    user assistant system eot eod eom default class label lang language mean avg visual vision extra current any a the n k
""")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@lru_cache(maxsize=4096)
def secret_level(name: str) -> Level:
    """How sure a name says that its value is a secret; "token" where the value has to look like one, too."""
    words = [word.lower() for word in _WORD.findall(name[-_LONGEST:])]
    if not words or words[-1] in _ABOUT:
        return "no"
    if any(word in _SURE or word.endswith(_SURE_ENDS) for word in words) or _ends_as_key(words):
        return "sure"
    *before, last = words
    if last in _TOKENS or (last == "pat" and before):
        return "token" if _TOKENS_OF_TEXT.isdisjoint(before) else "no"
    return "no"


def _ends_as_key(words: Sequence[str]) -> bool:
    """`api_key`, `DB_PASS`, `MYSQL_PWD`; neither `key` nor PWD, the working folder."""
    if len(words) < 2:
        return False
    before, last = words[-2:]
    if last in ("key", "keys"):
        return before in _KEYS_OF
    return last in ("pass", "pwd", "pw") and before in _PASSWORDS_OF


def is_secret_name(name: str) -> bool:
    """Whether the value of a variable, option or parameter of this name is taken for a secret."""
    return secret_level(name) != "no"


_SECRET_FILE = re.compile(
    r"\.env(?:\.(?!(?:example|sample|template|dist)$).*)?|\.(?:netrc|pgpass|npmrc|pypirc|htpasswd|git-credentials|dockercfg)|_netrc"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)|.*\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk)|(?:credentials|client_secrets?|service[-_]account.*)\.json",
    re.IGNORECASE,
)


def is_secret_file(path: str) -> bool:
    """Whether a file of this name usually holds secrets: `.env`, `id_rsa`, `*.pem`, `credentials.json`, …"""
    return _SECRET_FILE.fullmatch(path.rpartition("/")[2]) is not None
