"""Which names say that their value is a secret (spec: run.md, Threats)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

Level = Literal["no", "token", "sure"]
_LONGEST = 300
_LONGEST_PATH = 1_000


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


_PUBLIC = r"(?!(?:.*\.)?(?:pub|gitmlog|example|sample|template|dist|md|py)(?:\.|$))"
"""What follows a name with a dot does not say that it is the public half, an example or code."""

_SETTINGS = r"(?:json|ya?ml|toml|ini|cfg|env)"
_SECRET_FILE = re.compile(
    "|".join(
        (
            r"\.env(?:\.(?!(?:example|sample|template|dist)$).*)?",
            r"\.(?:netrc|pgpass|my\.cnf|mylogin\.cnf|npmrc|pypirc|htpasswd|git-credentials|dockercfg|dockerconfigjson|s3cfg|boto)",
            r"\.(?:vault-token|passwd-s3fs|databrickscfg|credentials)|_netrc|rclone\.conf",
            # Private keys, and the copies that people make of them.
            rf"id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?(?:[_-][\w-]+)?(?:\.{_PUBLIC}.*)?",
            rf".*\.(?:pem|p12|pfx|jks|keystore|kdbx|ppk)(?:\.{_PUBLIC}.*)?",
            r".*\.key(?:\.(?:bak|backup|old|orig|save|enc|[0-9]+))?",
            # Files that services hand out.
            r"kaggle\.json|rootkey\.csv|accesskeys\.(?:csv|json)|accesstokens\.json|msal_token_cache\.(?:json|bin)",
            rf"(?:.*[-_])?credentials(?:\.{_SETTINGS})?|(?:new_user_)?credentials\.csv|client_secrets?(?:_.*)?\.json",
            r"(?:.*[-_])?service[-_]?account.*\.json|.*firebase-adminsdk.*\.json",
            r"(?:gcp|gcs|gcloud|google|sa)[-_](?:key|creds?|auth)\.json",
            rf"secrets?(?:\.(?:prod|production|dev|development|staging|test|local))?\.{_SETTINGS}",
            r"token\.(?:json|pickle)",
            rf"(?:api|access|auth|oauth|refresh|hf|huggingface|github|gitlab|wandb)[-_]?(?:token|key)s?(?:\.(?:txt|{_SETTINGS}))?",
        )
    ),
    re.IGNORECASE,
)
# Files whose name says it only with the folder that they lie in.
_SECRET_PLACE = re.compile(
    r"(?:.*/)?(?:"
    r"\.ssh/(?!(?:.*\.pub|known_hosts.*|config|authorized_keys)$).+"
    r"|\.gnupg/.+|\.docker/config\.json|\.kube/config|\.kaggle/.+|\.?huggingface/(?:stored_)?tokens?|gh/hosts\.yml"
    r")",
    re.IGNORECASE,
)
_COPY = re.compile(r"(?:\.(?:bak|backup|old|orig|save|swp|copy)|~)+$", re.IGNORECASE)


def is_secret_file(path: str) -> bool:
    """Whether a file of this path usually holds secrets: `.env`, `id_rsa`, `*.pem`, `credentials.json`, `.ssh/…`, …

    A copy of one (`.bak`, `~`) holds them too. What is only about secrets, or is code, does not: `secrets.py`, `tokenizer.json`.
    """
    names = path[-_LONGEST_PATH:]
    name = _COPY.sub("", names.rpartition("/")[2])
    return _SECRET_FILE.fullmatch(name) is not None or _SECRET_PLACE.fullmatch(_COPY.sub("", names)) is not None
