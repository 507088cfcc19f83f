"""The tracked paths in which two commits differ."""

from __future__ import annotations

from gitmlog.core.errors import DataError
from gitmlog.core.paths import METAFILE_SUFFIX
from gitmlog.git.merge import Change, Entry, blob_of, tree_changes
from gitmlog.git.repository import GitRepo
from gitmlog.metafile.change import Kind, MetafileChange, pair_renames
from gitmlog.metafile.schema import MAX_BYTES, Metafile
from gitmlog.metafile.text import parse_metafile


def metafile_changes(repo: GitRepo, old: str | None, new: str) -> list[MetafileChange]:
    """What the metafiles of commit `new` say other than those of `old` (None: there were none), by path.

    Raises:
        NotFoundError: kind `no-revision`.
        GitError: git cannot bring a metafile that a partial clone lacks.
    """
    trees = [str(repo.resolve(each).tree_id) if each else "" for each in (old, new)]
    changes = [each for each in tree_changes(repo, *trees) if each.path.endswith(METAFILE_SUFFIX)]
    return pair_renames(_change(repo, each) for each in changes)


def _change(repo: GitRepo, each: Change) -> MetafileChange:
    kind: Kind = "added" if each.old is None else "removed" if each.new is None else "changed"
    path = each.path.removesuffix(METAFILE_SUFFIX)
    return MetafileChange(path, kind, _metafile(repo, each.old), _metafile(repo, each.new))


def _metafile(repo: GitRepo, entry: Entry | None) -> Metafile | None:
    """None: there is none, or it cannot be read."""
    if entry is None:
        return None
    try:
        return parse_metafile(blob_of(repo, entry)[: MAX_BYTES + 1], "a metafile")
    except DataError:
        return None
