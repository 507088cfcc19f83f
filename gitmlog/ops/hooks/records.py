"""Values that look like secrets in what gitmlog commits: the records of runs, metafiles, the committed configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitmlog.core.paths import METAFILE_SUFFIX
from gitmlog.core.secrets import Scrubber, is_secret_name
from gitmlog.git.staged import StagedChange
from gitmlog.repo.workspace import Workspace

_MOST = 1 << 22
_KEY = re.compile(r'\s*"?([A-Za-z0-9_.-]{1,250})"?\s*=\s*"((?:[^"\\]|\\.){1,4096})"\s*$')
_HARMLESS = re.compile(r"\[redacted\]|[0-9a-f]{40}|[0-9a-f]{64}")


def is_record(path: str) -> bool:
    """Whether gitmlog writes the file, and people commit it."""
    return path.startswith(".gitmlog/") or path.endswith(METAFILE_SUFFIX)


def secrets_in(ws: Workspace, change: StagedChange) -> Iterator[tuple[int, str]]:
    """The lines that hold what looks like a secret, each with what it was taken for. The value is never shown."""
    if not is_record(change.path):
        return
    scrubber = Scrubber()
    text = ws.git.blob_of(change.new)[:_MOST].decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        if what := _found(scrubber, line):
            yield number, what


def _found(scrubber: Scrubber, line: str) -> str:
    if line.lstrip().startswith("#"):
        return ""
    pair = _KEY.match(line)
    if pair is not None:
        key, value = pair[1], pair[2]
        if not _HARMLESS.fullmatch(value) and is_secret_name(key) and scrubber.param(key, value) != value:
            return f"the value of {key}"
    return "a token, a key or a password" if scrubber.text(line) != line else ""
