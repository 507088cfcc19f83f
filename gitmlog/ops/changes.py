"""The tracked paths in which two commits differ."""

from __future__ import annotations

from collections.abc import Iterator

from gitmlog.core.errors import DataError
from gitmlog.core.paths import METAFILE_SUFFIX
from gitmlog.git.merge import Change, Entry, blob_of, tree_changes
from gitmlog.git.repository import GitRepo
from gitmlog.metafile.change import Kind, MetafileChange
from gitmlog.metafile.schema import MAX_BYTES, Metafile
from gitmlog.metafile.text import parse_metafile


def metafile_changes(repo: GitRepo, old: str | None, new: str) -> Iterator[MetafileChange]:
    """What the metafiles of commit `new` say other than those of `old` (None: there were none), by path.

    Raises:
        NotFoundError: kind `no-revision`.
        GitError: git cannot bring a metafile that a partial clone lacks.
    """
    trees = [str(repo.resolve(each).tree_id) if each else "" for each in (old, new)]
    changes = [each for each in tree_changes(repo, *trees) if each.path.endswith(METAFILE_SUFFIX)]
    sources = _sources(repo, changes)
    moved = {source.path for source in sources.values()}
    for each in changes:
        if each.path not in moved:
            yield _change(repo, each, sources.get(each.path))


def _sources(repo: GitRepo, changes: list[Change]) -> dict[str, Change]:
    """For each metafile that is new, one that is gone and named the same object, if there is one; each is taken once."""
    gone: dict[str, list[Change]] = {}
    for each in changes:
        found = _metafile(repo, each.old) if each.new is None else None
        if found is not None:
            gone.setdefault(found.oid, []).append(each)
    sources = {}
    for each in changes:
        found = _metafile(repo, each.new) if each.old is None else None
        if found is not None and gone.get(found.oid):
            sources[each.path] = gone[found.oid].pop(0)
    return sources


def _change(repo: GitRepo, each: Change, source: Change | None) -> MetafileChange:
    kind: Kind = "renamed" if source else "added" if each.old is None else "removed" if each.new is None else "changed"
    old, new = _metafile(repo, (source or each).old), _metafile(repo, each.new)
    old_path = source.path.removesuffix(METAFILE_SUFFIX) if source else ""
    return MetafileChange(each.path.removesuffix(METAFILE_SUFFIX), kind, old, new, old_path)


def _metafile(repo: GitRepo, entry: Entry | None) -> Metafile | None:
    """None: there is none, or it cannot be read."""
    if entry is None:
        return None
    try:
        return parse_metafile(blob_of(repo, entry)[: MAX_BYTES + 1], "a metafile")
    except DataError:
        return None
