"""Who signed a tag: git's own verification, with the programs that check pinned so that no configuration chooses one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from gitmlog.git.bare import BareRepo

GPG = "gpg:"
"""Before the fingerprint of a GPG key; any other name of a signer is a principal of the allowed signers."""

_PINNED = {
    "gpg.program": "gpg",
    "gpg.openpgp.program": "gpg",
    "gpg.ssh.program": "ssh-keygen",
    "gpg.x509.program": "false",  # X.509 signatures are not known here: none is good
    "gpg.format": "ssh",
}
_SSH = re.compile(r'^Good "git" signature for (.+) with [A-Z0-9-]+ key SHA256:[A-Za-z0-9+/=]+$', re.MULTILINE)
_GPG = re.compile(r"^\[GNUPG:\] VALIDSIG ([0-9A-F]{40,64}) .* ([0-9A-F]{40,64})$", re.MULTILINE)
_FRESH = re.compile(r"^\[GNUPG:\] GOODSIG ", re.MULTILINE)


@contextmanager
def allowed_signers(text: bytes) -> Iterator[Path]:
    """A private file with the SSH keys that count, in OpenSSH's format; it is gone afterwards."""
    with TemporaryDirectory(prefix="gitmlog-") as folder:
        path = Path(folder, "allowed_signers")
        path.write_bytes(text)
        yield path


def signers_of(repo: BareRepo, tag: str, allowed: Path) -> frozenset[str]:
    """Who signed the tag object `tag`, by a signature that is good now: principals, or `gpg:` and fingerprints; nobody: none.

    A key of GPG's counts when it is in the keyring of whoever runs this. Raises GitError, kind `no-git`.
    """
    pinned = [part for key, value in _PINNED.items() for part in ("-c", f"{key}={value}")]
    done = repo.ask(*pinned, "-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-tag", "--raw", tag)
    if done.code != 0:
        return frozenset()
    said = done.err.decode("utf-8", "replace")
    principals = [name for line in _SSH.findall(said) for name in line.split(",")]
    keys = [GPG + key for found in _GPG.findall(said) for key in found] if _FRESH.search(said) else []
    return frozenset([*principals, *keys])
