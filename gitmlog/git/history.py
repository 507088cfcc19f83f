"""Every metafile and listing of a run that a repository can still reach, and those that a push is about to publish."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from gitmlog.core.paths import METAFILE_SUFFIX
from gitmlog.git.index import read_index
from gitmlog.git.repository import GitObject, GitRepo, damaged

if TYPE_CHECKING:
    import pygit2

_OID = re.compile(rb"\b[0-9a-f]{40}\b")
_PSEUDO_REF = re.compile(r"[A-Z][A-Z0-9_]*")
_UNDER_WAY = ("rebase-merge", "rebase-apply", "sequencer")
_NOTHING = "0" * 40
_LISTING = re.compile(r"\.gitmlog/runs/[^/]+/artifacts\.toml")


def is_listing(path: str) -> bool:
    """Whether a path from the top is that of a run's artifacts.toml (spec: run.md)."""
    return _LISTING.fullmatch(path) is not None


def _names_objects(path: str) -> bool:
    return path.endswith(METAFILE_SUFFIX) or is_listing(path)


def reachable_metafiles(repo: GitRepo) -> Iterator[tuple[str, bytes]]:
    """The texts of all metafiles that any ref, reflog, stash, index or worktree reaches; each text once, with a path.

    So are those of artifacts.toml of runs, here and wherever this module says metafiles: `is_listing` tells them apart.

    Every tree object is visited once, so a path that was renamed or copied cannot hide a version (as it could behind
    `git log -- PATH`, which simplifies history).

    Raises:
        GitError: kind `damaged-repository`: something that is reachable is not there, so what it reaches is not known.
    """
    seen: set[str] = set()
    for path, blob in chain(_Walk(repo).all(_roots(repo)), _in_indexes(repo)):
        if str(blob) not in seen:
            seen.add(str(blob))
            yield path, repo.blob(blob)


def unpublished_metafiles(repo: GitRepo, revision: str = "HEAD") -> Iterator[tuple[str, bytes]]:
    """The texts of the metafiles in commits that `revision` has and no remote-tracking branch has, and in that revision."""
    return metafiles_since(repo, published_commits(repo), revision)


def metafiles_since(repo: GitRepo, hidden: Iterable[str], revision: str = "HEAD") -> Iterator[tuple[str, bytes]]:
    """The texts of the metafiles in `revision`, and in those of its ancestors that the commits `hidden` do not reach."""
    if repo.is_unborn and revision == "HEAD":
        return
    tip = repo.resolve(revision)
    walker = repo.handle.walk(tip.id)
    for known in hidden:
        if known in repo.handle:
            walker.hide(known)
    walk = _Walk(repo)
    for commit in chain([tip], walker):
        yield from ((path, repo.blob(blob)) for path, blob in walk.tree(commit.tree_id, ""))


def metafiles_in(repo: GitRepo, tips: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """The texts of the metafiles in the trees of these commits, not of their ancestors; each tree is visited once."""
    walk = _Walk(repo)
    for tip in tips:
        yield from ((path, repo.blob(blob)) for path, blob in walk.tree(repo.resolve(tip).tree_id, ""))


def metafiles_between(repo: GitRepo, tips: Iterable[str], hidden: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """The texts of the metafiles in the ancestors of these commits, less the commits that `hidden` reach."""
    walk, walker = _Walk(repo), repo.handle.walk(None)
    for parent in {parent for tip in tips for parent in repo.resolve(tip).parent_ids if parent in repo.handle}:
        walker.push(parent)
    for known in hidden:
        if known in repo.handle:
            walker.hide(known)
    for commit in walker:
        yield from ((path, repo.blob(blob)) for path, blob in walk.tree(commit.tree_id, ""))


def new_metafiles(repo: GitRepo, tips: Iterable[str], hidden: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """The texts of the metafiles that `tips` or their ancestors have, and that the commits `hidden` neither reach nor have."""
    known = [each for each in hidden if each in repo.handle]
    walk, walker, old = _Walk(repo), repo.handle.walk(None), set[bytes]()
    for tip in known:
        old.update(blob.raw for _, blob in walk.tree(repo.resolve(tip).tree_id, ""))
        walker.hide(repo.resolve(tip).id)
    for tip in tips:
        walker.push(repo.resolve(tip).id)
    for commit in walker:
        yield from ((path, repo.blob(blob)) for path, blob in walk.tree(commit.tree_id, "") if blob.raw not in old)


def tips_of(repo: GitRepo, remote: str) -> list[str]:
    """The commits that the remote-tracking branches of one git remote name."""
    import pygit2

    prefix = f"refs/remotes/{remote}/"
    targets = [_peel(repo, name) for name in repo.handle.references if name.startswith(prefix)]
    return [str(target.id) for target in targets if isinstance(target, pygit2.Commit)]


def published_commits(repo: GitRepo) -> list[str]:
    """The commits that remote-tracking branches name."""
    import pygit2

    targets = [_peel(repo, name) for name in repo.handle.references if name.startswith("refs/remotes/")]
    return [str(target.id) for target in targets if isinstance(target, pygit2.Commit)]


def _peel(repo: GitRepo, name: str) -> GitObject | None:
    """What a ref leads to; None for a symbolic one that leads nowhere (as origin/HEAD does after a branch was renamed).

    Raises:
        GitError: kind `damaged-repository`.
    """
    import pygit2

    try:
        return repo.handle.references[name].peel()
    except (KeyError, pygit2.GitError) as error:
        reference = repo.handle.references.get(name)
        if reference is not None and isinstance(reference.target, pygit2.Oid):
            raise damaged(f"{name} names {reference.target}") from error
        return None


class _Walk:
    """Visits commits and trees, each once."""

    def __init__(self, repo: GitRepo) -> None:
        self.repo = repo
        self._seen: set[tuple[bytes, str]] = set()
        self._commits: set[bytes] = set()
        self._shallow = (repo.commondir / "shallow").exists()

    def all(self, roots: Iterable[GitObject]) -> Iterator[tuple[str, pygit2.Oid]]:
        import pygit2

        for root in roots:
            if isinstance(root, pygit2.Tag):
                yield from self.all([self.repo.load(root.target)])
            elif isinstance(root, pygit2.Commit):
                yield from self._history(root)
            elif isinstance(root, pygit2.Tree):
                yield from self.tree(root.id, "")
            elif isinstance(root, pygit2.Blob):
                yield f"blob{METAFILE_SUFFIX}", root.id

    def _history(self, tip: pygit2.Commit) -> Iterator[tuple[str, pygit2.Oid]]:
        pending: list[GitObject] = [tip]
        while pending:
            commit = pending.pop()
            if commit.id.raw in self._commits:
                continue
            self._commits.add(commit.id.raw)
            yield from self.tree(commit.tree_id, "")
            pending += [parent for oid in commit.parent_ids if (parent := self._parent(oid)) is not None]

    def _parent(self, oid: pygit2.Oid) -> GitObject | None:
        """In a shallow clone old reflogs lead to commits whose parents were never fetched, nor their metafiles."""
        found = self.repo.handle.get(oid)
        return self.repo.load(oid) if found is None and not self._shallow else found

    def tree(self, oid: pygit2.Oid, prefix: str) -> Iterator[tuple[str, pygit2.Oid]]:
        if (oid.raw, prefix) in self._seen:
            return
        self._seen.add((oid.raw, prefix))
        for entry in self.repo.load(oid):
            name = entry.name or ""
            if entry.type_str == "tree":
                yield from self.tree(entry.id, f"{prefix}{name}/")
            elif entry.type_str == "blob" and _names_objects(prefix + name):
                yield prefix + name, entry.id


def _roots(repo: GitRepo) -> Iterator[GitObject]:
    yield from (found for oid in _root_ids(repo) if (found := repo.handle.get(oid)) is not None)
    for name in repo.handle.references:
        target = _peel(repo, name)
        if target is not None:
            yield target


def _root_ids(repo: GitRepo) -> set[str]:
    """The ids in the loose refs, reflogs and pseudo-refs of all worktrees, and in what a rebase keeps aside.

    They are read as text: libgit2 lists those of no other worktree, and knows nothing of an autostash.
    """
    found: set[str] = set()
    for folder in worktree_gitdirs(repo):
        for path in _files_with_ids(folder):
            try:
                found.update(oid.decode() for oid in _OID.findall(path.read_bytes()))
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                continue
    return found - {_NOTHING}


def _files_with_ids(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.iterdir() if _PSEUDO_REF.fullmatch(path.name) and path.is_file())
    for name in ("refs", "logs", *_UNDER_WAY):
        yield from (path for path in (folder / name).rglob("*") if path.is_file())


def _worktree_dirs(repo: GitRepo) -> list[Path]:
    folder = repo.commondir / "worktrees"
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _in_indexes(repo: GitRepo) -> Iterator[tuple[str, pygit2.Oid]]:
    """The metafiles in the indexes of all worktrees, with every side of a conflict."""
    for folder in worktree_gitdirs(repo):
        if (folder / "index").exists():
            for entry in read_index(folder, foreign=repo.foreign):
                if _names_objects(entry.path):
                    yield entry.path, entry.id


def worktree_gitdirs(repo: GitRepo) -> list[Path]:
    """The git directories of all worktrees, the main one first."""
    return [repo.commondir, *_worktree_dirs(repo)]


def worktree_roots(repo: GitRepo) -> list[Path]:
    """The top folders of all worktrees that still exist."""
    linked = [root for folder in _worktree_dirs(repo) if (root := _linked_root(folder)) is not None]
    return [path for path in dict.fromkeys([repo.worktree, *_main_root(repo), *linked]) if path.is_dir()]


def _linked_root(folder: Path) -> Path | None:
    """git writes the place absolute or, with worktree.useRelativePaths, relative to the folder."""
    try:
        return (folder / (folder / "gitdir").read_text().strip()).resolve().parent
    except FileNotFoundError:
        return None


def _main_root(repo: GitRepo) -> list[Path]:
    """A submodule's git directory says where its working tree is; any other is in it."""
    import pygit2

    config = pygit2.Config(str(repo.commondir / "config"))
    place = config["core.worktree"] if "core.worktree" in config else None  # noqa: SIM401 - it has no get
    if place:
        return [(repo.commondir / place).resolve()]
    return [repo.commondir.parent] if repo.commondir.name == ".git" else []
