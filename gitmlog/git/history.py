"""Every metafile that a repository can still reach, and those that a push is about to publish."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from gitmlog.core.paths import METAFILE_SUFFIX
from gitmlog.git.repository import GitRepo

if TYPE_CHECKING:
    import pygit2

GitObject: TypeAlias = Any  # pygit2's stubs do not derive Commit, Tree, Tag and Blob from Object
_OID = re.compile(rb"\b[0-9a-f]{40}\b")
_PSEUDO_REFS = (
    "HEAD",
    "ORIG_HEAD",
    "FETCH_HEAD",
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "REBASE_HEAD",
    "BISECT_HEAD",
    "AUTO_MERGE",
)


def reachable_metafiles(repo: GitRepo) -> Iterator[tuple[str, bytes]]:
    """The texts of all metafiles that any ref, reflog, stash, index or worktree reaches; each text once, with a path.

    Every tree object is visited once, so a path that was renamed or copied cannot hide a version (as it could behind
    `git log -- PATH`, which simplifies history).
    """
    seen: set[str] = set()
    for path, blob in _Walk(repo).all(_roots(repo)):
        if str(blob) not in seen:
            seen.add(str(blob))
            yield path, repo._blob(blob)
    for path, data in _other_indexes(repo):
        yield path, data


def unpublished_metafiles(repo: GitRepo, revision: str = "HEAD") -> Iterator[tuple[str, bytes]]:
    """The texts of the metafiles in commits that `revision` has and no remote-tracking branch has, and in that revision."""
    if repo.is_unborn and revision == "HEAD":
        return
    import pygit2

    tip = repo.resolve(revision)
    walker = repo.handle.walk(tip.id)
    for name in repo.handle.references:
        if name.startswith("refs/remotes/"):
            target = _peel(repo, name)
            if isinstance(target, pygit2.Commit):
                walker.hide(target.id)
    walk = _Walk(repo)
    yield from ((path, repo._blob(blob)) for path, blob in walk.tree(tip.tree, ""))
    for commit in walker:
        yield from ((path, repo._blob(blob)) for path, blob in walk.tree(commit.tree, ""))


def _peel(repo: GitRepo, name: str) -> GitObject | None:
    import pygit2

    try:
        return repo.handle.references[name].peel()
    except (KeyError, pygit2.GitError):
        return None


class _Walk:
    """Visits commits and trees, each once."""

    def __init__(self, repo: GitRepo) -> None:
        self.repo = repo
        self._seen: set[tuple[bytes, str]] = set()
        self._commits: set[bytes] = set()

    def all(self, roots: Iterable[GitObject]) -> Iterator[tuple[str, pygit2.Oid]]:
        import pygit2

        for root in roots:
            if isinstance(root, pygit2.Tag):
                yield from self.all([root.get_object()])
            elif isinstance(root, pygit2.Commit):
                yield from self._history(root)
            elif isinstance(root, pygit2.Tree):
                yield from self.tree(root, "")
            elif isinstance(root, pygit2.Blob):
                yield f"blob{METAFILE_SUFFIX}", root.id

    def _history(self, tip: pygit2.Commit) -> Iterator[tuple[str, pygit2.Oid]]:
        pending: list[GitObject] = [tip]
        while pending:
            commit = pending.pop()
            if commit.id.raw in self._commits:
                continue
            self._commits.add(commit.id.raw)
            yield from self.tree(commit.tree, "")
            pending += [parent for oid in commit.parent_ids if (parent := self.repo.handle.get(oid)) is not None]

    def tree(self, tree: pygit2.Tree, prefix: str) -> Iterator[tuple[str, pygit2.Oid]]:
        if (tree.id.raw, prefix) in self._seen:
            return
        self._seen.add((tree.id.raw, prefix))
        for entry in tree:
            name = entry.name or ""
            if entry.type_str == "tree":
                yield from self.tree(entry, f"{prefix}{name}/")  # type: ignore[arg-type]
            elif name.endswith(METAFILE_SUFFIX) and entry.type_str == "blob":
                yield prefix + name, entry.id


def _roots(repo: GitRepo) -> Iterator[GitObject]:
    names = {repo.handle.get(oid) for oid in _root_ids(repo)}
    yield from (found for found in names if found is not None)
    for name in repo.handle.references:
        target = _peel(repo, name)
        if target is not None:
            yield target
    yield from _index_blobs(repo)


def _index_blobs(repo: GitRepo) -> Iterator[GitObject]:
    for entry in repo.index:
        if entry.path.endswith(METAFILE_SUFFIX) and (blob := repo.handle.get(entry.id)) is not None:
            yield blob
    for sides in repo.index.conflicts or ():
        for side in sides:
            if side is not None and side.path.endswith(METAFILE_SUFFIX) and (blob := repo.handle.get(side.id)) is not None:
                yield blob


def _root_ids(repo: GitRepo) -> set[str]:
    """The ids in reflogs and pseudo-refs of all worktrees. They are read as text: libgit2 lists no other worktree's."""
    folders = [repo.commondir, *_worktree_dirs(repo)]
    files = [folder / name for folder in folders for name in _PSEUDO_REFS]
    files += [path for folder in folders for path in (folder / "logs").rglob("*") if path.is_file()]
    found: set[str] = set()
    for path in files:
        try:
            found.update(oid.decode() for oid in _OID.findall(path.read_bytes()))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            continue
    return found - {"0" * 40}


def _worktree_dirs(repo: GitRepo) -> list[Path]:
    folder = repo.commondir / "worktrees"
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _other_indexes(repo: GitRepo) -> Iterator[tuple[str, bytes]]:
    import pygit2

    for folder in [repo.commondir, *_worktree_dirs(repo)]:
        if folder == repo.gitdir or not (folder / "index").exists():
            continue
        for entry in pygit2.Index(folder / "index"):
            if entry.path.endswith(METAFILE_SUFFIX) and repo.handle.get(entry.id) is not None:
                yield entry.path, repo._blob(entry.id)


def worktree_roots(repo: GitRepo) -> list[Path]:
    """The top folders of all worktrees that still exist."""
    linked = [
        Path((folder / "gitdir").read_text().strip()).parent for folder in _worktree_dirs(repo) if (folder / "gitdir").exists()
    ]
    main = [repo.commondir.parent] if repo.commondir.name == ".git" else []
    return [path for path in dict.fromkeys([repo.worktree, *main, *linked]) if path.is_dir()]
