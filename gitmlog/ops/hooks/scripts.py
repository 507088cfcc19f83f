"""The scripts that ship with gitmlog, and how to tell one of them from anybody else's."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

STAMP = b"\n# gitmlog-hook "
CLIENT = ("pre-commit", "prepare-commit-msg", "post-commit", "post-checkout", "post-merge", "post-rewrite", "pre-push")
SERVER = ("pre-receive",)
OLD_SERVER = ("update",)
SHARED = "gitmlog.sh"
DRIVERS = ("textconv", "merge")
ASIDE = ".before-gitmlog"
_MOST = 1 << 16


def script(name: str) -> bytes:
    """The text of a script. In a checkout they lie at the top; in an installed package, within it."""
    package = files("gitmlog")
    inside = package / "hooks" / name
    return inside.read_bytes() if inside.is_file() else (Path(str(package)).parent / "hooks" / name).read_bytes()


def is_ours(path: Path) -> bool:
    """Whether the hook at `path` is one of gitmlog's, of any version."""
    try:
        with path.open("rb") as stream:
            return STAMP in stream.read(_MOST)
    except OSError:
        return False
