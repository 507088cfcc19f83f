"""The program of a run before it is started: its words, its parameters, where it lies (spec: run.md, gitmlog run)."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gitmlog.core.errors import NotFoundError, UsageError
from gitmlog.core.paths import display
from gitmlog.ops.runs.live import Tell
from gitmlog.runs.record import ParamValue

PARAM = "GITMLOG_PARAM_"

_HOLE = re.compile(r"(?<![{$])(\{{1,2})([^{}]+)(\}{1,2})(?!\})")
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?")


def fill(command: Iterable[str], params: Mapping[str, str], tell: Tell) -> tuple[str, ...]:
    """The command with `{k}` replaced by the parameter k, also inside a word; `{{k}}` is `{k}` itself.

    Nothing but the names of parameters is touched: not JSON, not `${k}` of a shell. What looks like a parameter is told.
    """
    told: set[str] = set()

    def value(found: re.Match[str]) -> str:
        opened, key, closed = found.groups()
        if len(opened) != len(closed):
            return found[0]
        if key in params:
            return params[key] if len(opened) == 1 else f"{{{key}}}"
        if params and len(opened) == 1 and _WORD.fullmatch(key) and key not in told:
            told.add(key)
            tell(f"{display(found[0])} is no parameter: it is passed on as it is")
        return found[0]

    return tuple(_HOLE.sub(value, word) for word in command)


def value_of(text: str) -> ParamValue:
    """What is recorded of a parameter: a number or a boolean where it is written as one, else the text.

    What would not be the same number again stays text: `007`, an integer beyond 63 bits, `1_000`.
    """
    if text in ("true", "false"):
        return text == "true"
    if text in ("nan", "inf", "-inf"):
        return float(text)
    if _INTEGER.fullmatch(text):
        return int(text) if abs(int(text)) < 1 << 63 else text
    if _FLOAT.fullmatch(text) and re.search(r"[.eE]", text):
        number = float(text)
        return text if number in (float("inf"), float("-inf")) else number
    return text


def param_variables(params: Mapping[str, str]) -> dict[str, str]:
    """Parameters as environment variables: `lr` is GITMLOG_PARAM_LR. Raises UsageError, kind `bad-value`."""
    found: dict[str, str] = {}
    for key, text in params.items():
        name = PARAM + re.sub(r"[^A-Z0-9]", "_", key.upper())
        if name in found:
            hint = "rename one: letters in either case, and all other characters, are the same there"
            raise UsageError(f"parameter {display(key)} would be a second {name}", kind="bad-value", hint=hint)
        found[name] = text
    return found


def find_interpreter(program: str, variables: Mapping[str, str], folder: Path) -> str:
    """The Python that a program runs on: itself, that of its first line, or else that on PATH; "" for this process's own."""
    found = _named_python(program, variables, folder) or _which(("python", "python3"), variables)
    return "" if not found or _is_own(found) else found


def _is_own(interpreter: str) -> bool:
    """`python` and `python3` of one folder are one: their places, not what they link to, say which packages they have."""
    places = [os.path.abspath(path) for path in (interpreter, sys.executable)]
    return len({os.path.dirname(path) for path in places}) == 1 and len({os.path.realpath(path) for path in places}) == 1


def _named_python(program: str, variables: Mapping[str, str], folder: Path) -> str:
    path = os.fspath(folder / program)
    if _PYTHON.fullmatch(os.path.basename(program)):
        return path
    try:
        with open(path, "rb") as stream:
            line = os.fsdecode(stream.readline(512))
    except OSError:
        return ""
    words = line.removeprefix("#!").split() if line.startswith("#!") else []
    name = next((word for word in words if _PYTHON.fullmatch(os.path.basename(word))), "")
    return name if name.startswith("/") else _which((name,), variables)


def _which(names: Sequence[str], variables: Mapping[str, str]) -> str:
    """The first of these on those parts of PATH that depend on no folder."""
    places = [place for place in variables.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(place)]
    found = (shutil.which(name, path=os.pathsep.join(places)) for name in names if name)
    return next(filter(None, found), "")


def find_program(name: str, variables: Mapping[str, str], folder: Path) -> str:
    """What is to be executed, found as a shell in `folder` would. Raises NotFoundError, kind `no-program`."""
    if "/" in name:
        return _at(name, folder / name)
    places = variables.get("PATH", os.defpath).split(os.pathsep)
    found = shutil.which(name, path=os.pathsep.join(os.path.join(folder, place) for place in places)) if name else None
    if found is not None:
        return found
    hint = f"it lies in this folder: ./{display(name)}" if name and (folder / name).is_file() else "check the name, and PATH"
    raise _no_program(name, hint)


def _at(name: str, path: Path) -> str:
    if not path.exists():
        raise _no_program(name, "check the path: it is relative to the folder that the run starts in")
    if path.is_dir():
        raise NotFoundError(f"{display(name)} is a folder, not a program", kind="no-program", hint="name a file in it")
    if not os.access(path, os.X_OK):
        hint = f"chmod +x {display(name)}, or name what runs it: python {display(name)}"
        raise NotFoundError(f"{display(name)} is not executable", kind="no-program", hint=hint)
    return name


def _no_program(name: str, hint: str) -> NotFoundError:
    return NotFoundError(f"there is no program {display(name) or repr(name)}", kind="no-program", hint=hint)


_EXEC_HINTS = {
    errno.ENOEXEC: "is it a script? Its first line says what runs it: #!/bin/sh; or name that: sh {name}",
    errno.ENOENT: "the program that its first line names, or its loader, is not there: head -1 {name}",
    errno.E2BIG: "its arguments are too long: write them to a file",
}


def exec_error(name: str, error: OSError) -> NotFoundError:
    """The error for a program that the system did not start, kind `no-program`."""
    hint = _EXEC_HINTS.get(error.errno or 0, "check it: ls -l {name}; file {name}").format(name=display(name))
    return NotFoundError(f"{display(name)} cannot be run: {error.strerror}", kind="no-program", hint=hint)
