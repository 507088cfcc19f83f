"""Which kinds of errors the code raises, and with which exit codes: read from the source, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import gitmlog
from gitmlog.core import errors
from gitmlog.remote.errors import _SAYS

SOURCE = Path(gitmlog.__file__).parent


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """Every module of the package, parsed; not the script that the demo writes for its user."""
    for path in sorted(SOURCE.rglob("*.py")):
        if "demo" not in path.relative_to(SOURCE).parts:
            yield path, ast.parse(path.read_text("utf-8"))


def strings(node: ast.AST) -> set[str]:
    """All texts in an expression; a part of an f-string stands for what begins with it."""
    parts = {id(part) for joined in ast.walk(node) if isinstance(joined, ast.JoinedStr) for part in ast.walk(joined)}
    found = [each for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return {f"{each.value}*" if id(each) in parts else each.value for each in found}


def error_class(call: ast.Call) -> type[errors.GitmlogError] | None:
    """The error that a call makes, when it is one of ours by name."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    found = getattr(errors, name, None) if name.endswith("Error") else None
    return found if isinstance(found, type) else None


def used_kinds() -> dict[str, set[int]]:
    """Kind -> exit codes that the source shows; none where only the running program knows."""
    used: dict[str, set[int]] = {kind: set() for kind in _SAYS}
    for each in vars(errors).values():
        if isinstance(each, type) and issubclass(each, errors.GitmlogError):
            used.setdefault(each.default_kind, set()).add(each.exit_code)
    for _, module in sources():
        for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
            made = error_class(call)
            for kind in (kind for keyword in call.keywords if keyword.arg == "kind" for kind in strings(keyword.value)):
                used.setdefault(kind, set()).update({made.exit_code} if made else set())
    return used
