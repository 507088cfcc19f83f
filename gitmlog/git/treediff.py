"""What differs between two trees of git, in process; a run's own files are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from gitmlog.core.errors import GitError
from gitmlog.git.repository import GitRepo

if TYPE_CHECKING:
    import pygit2

Change = Literal["A", "M", "D", "R", "T"]
LeftOut: TypeAlias = Callable[[str], bool]
_KINDS: dict[str, Change] = {"A": "A", "D": "D", "R": "R", "C": "A", "T": "T"}


@dataclass(frozen=True)
class FileChange:
    """One file that differs.

    Attributes:
        path: in the new tree; of a deleted file in the old one.
        old_path: another than `path` when it was renamed.
        kind: added, modified, deleted, renamed, of another type.
        old, new: the blobs; 40 zeros where there is none.
    """

    path: str
    old_path: str
    kind: Change
    old: str
    new: str


@dataclass(frozen=True)
class FilePatch:
    """The lines of one file that differ.

    Attributes:
        change: which file.
        binary: git takes it for no text: `text` only names it.
        added, removed: lines.
        text: as `git diff` prints it.
    """

    change: FileChange
    binary: bool
    added: int
    removed: int
    text: bytes


def changes(repo: GitRepo, old: str | None, new: str, left_out: LeftOut) -> list[FileChange]:
    """The files that differ between two commits (`old` None: an empty tree), by path. Raises NotFoundError, GitError."""
    return [change for _, change in _kept(_diff(repo, old, new), left_out)]


def patches(
    repo: GitRepo, old: str, new: str, left_out: LeftOut, paths: Sequence[str] = (), *, lines: int = 3
) -> Iterator[FilePatch]:
    """The patch of each file that differs, with `lines` lines around; of `paths` (files or folders) only, when there are any.

    Raises:
        NotFoundError, GitError.
    """
    diff = _diff(repo, old, new, lines)
    for number, change in _kept(diff, left_out):
        if not paths or any(_is_at(change.path, path) or _is_at(change.old_path, path) for path in paths):
            yield _patch(diff, number, change)


def parent_of(repo: GitRepo, commit: str) -> str | None:
    """The first parent of a commit, or None. Raises NotFoundError, kind `no-revision`."""
    parents = repo.resolve(commit).parent_ids
    return str(parents[0]) if parents else None


def blob_ids(repo: GitRepo, commit: str, paths: Sequence[str]) -> dict[str, str]:
    """The blob at each of these paths, where there is one. Raises NotFoundError, kind `no-revision`."""
    tree, found = repo.resolve(commit).tree, {}
    for path in paths:
        try:
            found[path] = str(tree[path].id)
        except (KeyError, ValueError):
            continue
    return found


def _is_at(path: str, place: str) -> bool:
    return place in ("", path) or path.startswith(f"{place}/")


def _diff(repo: GitRepo, old: str | None, new: str, lines: int = 3) -> pygit2.Diff:
    import pygit2
    from pygit2.enums import DiffOption

    flags = DiffOption.INCLUDE_TYPECHANGE
    try:
        tree = repo.resolve(new).tree
        if old is None:
            return tree.diff_to_tree(swap=True, flags=flags, context_lines=lines)
        diff = repo.resolve(old).tree.diff_to_tree(tree, flags=flags, context_lines=lines)
        diff.find_similar()
    except (KeyError, pygit2.GitError) as error:
        hint = "`git fsck` says more; `git fetch` may bring it back"
        raise GitError(
            f"{old or 'nothing'} and {new} cannot be compared: {error}", kind="damaged-repository", hint=hint
        ) from error
    return diff


def _kept(diff: pygit2.Diff, left_out: LeftOut) -> Iterator[tuple[int, FileChange]]:
    for number, delta in enumerate(diff.deltas):
        old, new = delta.old_file, delta.new_file
        kind = _KINDS.get(delta.status_char(), "M")
        path = _text(old.raw_path if kind == "D" else new.raw_path)
        if not left_out(path):
            yield number, FileChange(path, _text(old.raw_path), kind, str(old.id), str(new.id))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _patch(diff: pygit2.Diff, number: int, change: FileChange) -> FilePatch:
    patch = diff[number]
    if patch is None:  # libgit2 makes no text of a binary file
        return FilePatch(change, True, 0, 0, _named(change))
    if patch.delta.is_binary:
        return FilePatch(change, True, 0, 0, patch.data or _named(change))
    _, added, removed = patch.line_stats
    return FilePatch(change, False, added, removed, patch.data)


def _named(change: FileChange) -> bytes:
    from gitmlog.core.paths import display

    return f"Binary files differ: {display(change.path)}\n".encode("utf-8", "replace")
