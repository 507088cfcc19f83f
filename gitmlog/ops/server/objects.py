"""Whether the remote holds what the new metafiles and listings name. Where that is not known, nothing is let in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias

from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import DataError, GitmlogError, NotFoundError, RefusedError
from gitmlog.core.paths import METAFILE_SUFFIX
from gitmlog.git.history import is_listing
from gitmlog.metafile.schema import MAX_BYTES, DirectoryFacts
from gitmlog.ops.listed import listed
from gitmlog.ops.server.push import Problem, Problems, named
from gitmlog.remote.base import Remote
from gitmlog.remote.open import open_remote
from gitmlog.repo.remotes import check_trust, choose_remote, remote_spec
from gitmlog.repo.server import Server
from gitmlog.runs.artifacts import MAX_LISTING

Wanted: TypeAlias = tuple[ObjectId, int | None]
"""An object and its bytes; of a tree they are not known."""

_PATIENCE = {"timeout": 20, "retries": 2}  # somebody waits for the answer
_ADMIN = "its administrator says there which one to ask: `gitmlog -C REPOSITORY config remote.origin.url URL`"
_FIRST = f"{_ADMIN}; or push the commit of `gitmlog remote add` first, alone"


def check_objects(
    server: Server, files: Iterable[tuple[str, str]], is_old: Callable[[str, str], bool], problems: Problems
) -> None:
    """Ask for all that these files (path, blob) name; what `is_old` says the server had there before is not asked for.

    Raises:
        GitError: kind `damaged-repository`.
    """
    wanted = _wanted(server, files, is_old, problems)
    if not wanted:
        return
    try:
        remote = _remote(server)
    except GitmlogError as error:
        problems.add(_no_remote(error, next(iter(wanted.values()))))
        return
    memory = f"server:{remote.spec.url}"
    known = server.pushed.which(memory, map(_mark, wanted))
    unknown = {each: path for each, path in wanted.items() if _mark(each) not in known}
    try:
        there = _ask(remote, unknown)
    except GitmlogError as error:
        hint = "nothing was let in, since nobody knows whether the objects are there: push again later, or tell its administrator"
        problems.add_error(error, hint)
        return
    server.pushed.record(memory, map(_mark, there))
    for each, path in unknown.items():
        if each not in there:
            problems.add(_missing(path, each, remote.spec.name))


def _wanted(
    server: Server, files: Iterable[tuple[str, str]], is_old: Callable[[str, str], bool], problems: Problems
) -> dict[Wanted, str]:
    """Each object with one of the paths that need it."""
    known: dict[tuple[str, bool], list[Wanted] | DataError] = {}
    wanted: dict[Wanted, str] = {}
    for path, blob in files:
        if is_old(path, blob):
            continue
        key = (blob, is_listing(path))
        if key not in known:
            known[key] = _read(server, path, blob)
        found = known[key]
        if isinstance(found, DataError):
            hint = "write it by gitmlog (`gitmlog add`), and change the commit: `git rebase -i`"
            problems.add(Problem(f"{named(path)} cannot be read: {found.message}", hint, kind=found.kind))
        else:
            wanted |= dict.fromkeys((each for each in found if each not in wanted), path)
    return wanted


def _read(server: Server, path: str, blob: str) -> list[Wanted] | DataError:
    kind, size = server.git.look(blob)
    most = MAX_LISTING if is_listing(path) else MAX_BYTES
    if kind != "blob" or size > most:
        return DataError(f"{size:,} bytes (at most {most:,})", kind="bad-metafile")
    try:
        facts = [metafile.facts for _, metafile in listed(path, server.git.read(blob))]
    except DataError as error:
        return error
    return [(each.blake3, None if isinstance(each, DirectoryFacts) else each.size) for each in facts]


def _remote(server: Server) -> Remote:
    config = server.config
    name = choose_remote(config, None)
    check_trust(config, name, server.trust_file, explicit=False)
    spec = remote_spec(config, name)
    own = {key: value for key, value in _PATIENCE.items() if config.find(f"remote.{name}.{key}") is None}
    return open_remote(replace(spec, options={**spec.options, **own}))


def _ask(remote: Remote, wanted: Iterable[Wanted]) -> set[Wanted]:
    """Those that are there whole; two sizes of one object cannot both be. Raises RemoteError."""
    wanted = list(wanted)
    sizes = {oid: size for oid, size in wanted if size is not None}
    there = remote.exist({oid for oid, _ in wanted}, sizes=sizes)
    return {(oid, size) for oid, size in wanted if oid in there and size in (None, sizes.get(oid))}


def _mark(each: Wanted) -> ObjectId:
    """How the memory has it: a size that is a lie was not seen."""
    oid, size = each
    return ObjectId(oid if size is None else f"{oid} {size}")


def _no_remote(error: GitmlogError, path: str) -> Problem:
    if isinstance(error, NotFoundError):
        message = f"the push brings {named(path)}, and this server does not know which remote to ask for its object"
        return Problem(message, _FIRST, kind=error.kind)
    if isinstance(error, RefusedError):
        return Problem(f"on this server: {error.message}", _ADMIN, kind=error.kind)
    return Problem(f"on this server: {error.message}", error.hint or _ADMIN, kind=error.kind)


def _missing(path: str, each: Wanted, remote: str) -> Problem:
    oid, size = each
    bytes_of = "" if size is None else f" of {size:,} bytes"
    push = "`gitmlog push --runs`" if is_listing(path) else "`gitmlog push`"
    message = f"{named(path.removesuffix(METAFILE_SUFFIX))}: remote {remote!r} does not have its object {oid[:12]}{bytes_of}"
    hint = f"{push} sends the objects; then push again. If that was done, this server asks elsewhere: its administrator looks at"
    return Problem(message, f"{hint} `gitmlog -C REPOSITORY config remote.{remote}.url`", kind="not-on-remote")
