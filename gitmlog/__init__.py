"""gitmlog: models, datasets and artifacts versioned with git."""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers take it for typing's, whose import costs half of `gitmlog --version`
if TYPE_CHECKING:
    from typing import Any

    from gitmlog.api import Repo as Repo
    from gitmlog.api import get as get
    from gitmlog.api import open as open
    from gitmlog.core.errors import GitmlogError as GitmlogError

_EXPORTS = {
    "GitmlogError": "gitmlog.core.errors",
    "Repo": "gitmlog.api",
    "get": "gitmlog.api",
    "open": "gitmlog.api",
}
__all__ = ["GitmlogError", "Repo", "__version__", "get", "open"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'gitmlog' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return __all__
