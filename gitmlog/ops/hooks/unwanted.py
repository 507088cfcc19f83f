"""What should not be logged: a committed list of patterns, in the grammar of .gitignore."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from gitmlog.core.errors import ConfigError
from gitmlog.core.toml import shorten

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

PATH = ".gitmlog/unwanted"
MAX_BYTES = 1 << 14
_MOST_STARS = 3

DEFAULT = b"""\
# What should not be logged. The pre-commit hook stops a commit that adds a file which one of these patterns matches,
# to git or to a directory that gitmlog tracks. The grammar is that of .gitignore; a pattern with ! lets a file through.

# Debug logs
*.log
nohup.out
core.[0-9]*

# Temporary files, and downloads that were cut
*.tmp
*.temp
*.part
*.partial
*.crdownload
*.incomplete

# Droppings of editors, notebooks, interpreters and file managers
*~
.*.sw[a-p]
\\#*\\#
.\\#*
*.orig
*.rej
.DS_Store
Thumbs.db
desktop.ini
.ipynb_checkpoints/
__pycache__/
*.py[co]

# Intermediate checkpoints, as training frameworks name them
checkpoint-[0-9]*/
checkpoint-[0-9]*.*
checkpoint_[0-9]*.*
ckpt-[0-9]*
global_step[0-9]*/
epoch=*-step=*.ckpt
"""


def matcher(text: bytes | None) -> Callable[[str], str]:
    """What says which pattern matches a path ("": none does).

    Raises:
        ConfigError: kind `bad-patterns`, at once or at the first path.
    """
    if text is None:
        return lambda _: ""
    lines = _patterns(text)

    def matching(path: str) -> str:
        found = _spec(tuple(lines)).check_file(path)
        return lines[found.index] if found.include and found.index is not None else ""

    return matching


@cache
def _spec(lines: tuple[str, ...]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        message = f"{PATH}: a pattern cannot be read: {error}"
        raise ConfigError(message, kind="bad-patterns", hint="the grammar is that of .gitignore: git help gitignore") from error


def _patterns(text: bytes) -> list[str]:
    """The lines that are patterns. How long a match can take grows with the power of the stars in one: they are bounded."""
    hint = "a few dozen simple patterns are plenty: git help gitignore"
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{PATH} has {len(text)} bytes (at most {MAX_BYTES})", kind="bad-patterns", hint=hint)
    lines = [line for line in text.decode("utf-8", "surrogateescape").splitlines() if line.strip() and not line.startswith("#")]
    for line in lines:
        if line.count("*") > _MOST_STARS:
            message = f"{PATH}: {shorten(line)} has more than {_MOST_STARS} stars"
            raise ConfigError(message, kind="bad-patterns", hint=hint)
    return lines
