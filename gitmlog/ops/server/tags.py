"""Tags of runs, versions and stages: never moved, legal, what they say they are, signed and placed as the policy wants."""

from __future__ import annotations

from functools import cached_property

from gitmlog.core.errors import DataError
from gitmlog.git.tags import TagText, read_tag
from gitmlog.ops.server.push import HEADS, TAGS, Problem, Problems, Push, Update, named
from gitmlog.ops.server.signatures import Signatures
from gitmlog.registry.grammar import StageTag, VersionTag, is_ours, parse_tag, tag_problem
from gitmlog.registry.policy import SIGNERS_PATH, StageRule, TagKind, fits_branch
from gitmlog.runs.reader import MAX_BYTES
from gitmlog.runs.record import FOLDER, is_run_id
from gitmlog.runs.tags import ARCHIVE, LIVE, PREFIX, body
from gitmlog.runs.tags import parse_tag as parse_run_tag

_SIGN = "sign it (git tag -d, then git tag -s) with a key that is in"
_RESERVED = tuple(prefix.rstrip("/") for prefix in (PREFIX, ARCHIVE, LIVE, "refs/gitmlog/"))


def check_tags(push: Push, problems: Problems) -> None:
    """All of a push's tags. Raises GitError, RefusedError (`too-large`): signatures cannot be checked."""
    signatures = Signatures(push.server)
    try:
        check = _Tags(push, problems, signatures)
        for update in push.updates:
            check.update(update)
    finally:
        signatures.close()


class _Tags:
    def __init__(self, push: Push, problems: Problems, signatures: Signatures) -> None:
        self.push, self.problems, self.signatures = push, problems, signatures
        self.git = push.server.git
        self.after = push.after

    def refuse(self, ref: str, problem: str, hint: str, *, kind: str) -> None:
        self.problems.add(Problem(f"{_words(ref)}: {problem}", hint, kind=kind))

    def update(self, update: Update) -> None:
        ref = update.ref
        if ref in _RESERVED or ref.startswith(LIVE):
            if update.new is not None:
                problem = "it is private to the clone where a run goes on" if ref.startswith(LIVE) else "the name is taken"
                self.refuse_as_private(ref, problem)
        elif ref.startswith((PREFIX, ARCHIVE)):
            self.run(update, ref.removeprefix(PREFIX).removeprefix(ARCHIVE))
        elif ref.startswith(TAGS) and is_ours(ref.removeprefix(TAGS)):
            self.registered(update, ref.removeprefix(TAGS))

    def refuse_as_private(self, ref: str, problem: str) -> None:
        hint = "push branches and tags, and runs by `gitmlog push --runs`"
        self.problems.add(Problem(f"{named(ref)}: {problem}", hint, kind="private-ref"))

    def run(self, update: Update, run: str) -> None:
        if not is_run_id(run):
            if update.new is not None:
                hint = "runs are recorded by `gitmlog run`; name the tag otherwise"
                self.refuse(update.ref, f"{named(run)} is not the id of a run", hint, kind="bad-tag")
        elif update.new is None:
            self.run_gone(update, run)
        elif update.old is not None:
            self.moved(update)
        else:
            self.new_run(update.ref, update.new, run)

    def run_gone(self, update: Update, run: str) -> None:
        """An archived run goes from one ref to the other, and is never at neither: the other one must be there already.

        That the same push makes it is not enough: git may take the one, and refuse the other.
        """
        other = (ARCHIVE if update.ref.startswith(PREFIX) else PREFIX) + run
        stays = self.push.refs.get(other) == update.old == self.after.get(other)
        if update.old is not None and not stays:
            self.moved(update)

    def moved(self, update: Update) -> None:
        verb = "deleted" if update.new is None else "moved"
        hint = "make another one; only the server's administrator can take one away, on the server: git update-ref -d REF"
        if update.ref.startswith((PREFIX, ARCHIVE)):
            hint = (
                f"`gitmlog runs archive` moves runs out of sight; the server's administrator can: git update-ref -d {update.ref}"
            )
        self.refuse(update.ref, f"it is there, and is never {verb}", hint, kind="immutable-tag")

    def new_run(self, ref: str, oid: str, run: str) -> None:
        other = (ARCHIVE if ref.startswith(PREFIX) else PREFIX) + run
        if self.after.get(other, oid) != oid or self.push.refs.get(other, oid) != oid:
            hint = f"none is overwritten; look at both: `git show {oid[:12]}`, and fetch the other by `gitmlog fetch --runs`"
            self.refuse(ref, f"{_words(other)} is another run of this id", hint, kind="immutable-tag")
        tag = self.tag(ref, oid, f"run/{run}")
        if tag is not None:
            self.record(ref, tag, run)
            self.signed("run", ref, oid, tag)

    def record(self, ref: str, tag: TagText, run: str) -> None:
        """The tag and its commit say the same."""
        path = f"{FOLDER}/{run}/run.toml"
        hint = "`gitmlog run` writes both; it was edited or copied: `git show` it, and `gitmlog runs rm` takes it away"
        try:
            parse_run_tag(tag.message, tag.name)
        except DataError as error:
            self.refuse(ref, error.message, hint, kind=error.kind)
            return
        committed = self.git.entry_at(tag.target, path)
        if committed is None or self.git.look(committed[1])[0] != "blob" or self.git.look(committed[1])[1] > MAX_BYTES:
            self.refuse(ref, f"its commit has no {path}", hint, kind="bad-run")
        elif self.git.read(committed[1]).strip() != body(tag.message, tag.name).encode().strip():
            self.refuse(ref, f"{path} in its commit is another record", hint, kind="bad-run")

    def registered(self, update: Update, name: str) -> None:
        parsed = parse_tag(name)
        if parsed is None:
            if update.new is not None:
                hint = "NAME@v1.2.0 is a version, NAME#STAGE#1 a stage; other tags have neither @ nor # (`gitmlog help policy`)"
                self.refuse(update.ref, tag_problem(name), hint, kind="bad-tag")
        elif update.old is not None:
            self.moved(update)
        elif update.new is not None:
            self.new_registered(update.ref, update.new, parsed)

    def new_registered(self, ref: str, oid: str, parsed: VersionTag | StageTag) -> None:
        tag = self.tag(ref, oid, str(parsed))
        if tag is None:
            return
        if isinstance(parsed, VersionTag):
            self.only_version(ref, tag, parsed)
            self.signed("version", ref, oid, tag)
        else:
            self.next_number(ref, parsed)
            self.stage(ref, oid, tag, parsed)

    def tag(self, ref: str, oid: str, name: str) -> TagText | None:
        """The annotated tag that `ref` shall name, when its own name is `name`: a signed one that was copied still verifies."""
        hint = f"make it anew: git tag -d {name}; git tag -a {name}; then push that"
        try:
            tag = read_tag(self.git, ref, oid)
        except DataError as error:
            self.problems.add(Problem(error.message, hint, kind="bad-tag"))
            return None
        if tag.name == name:
            return tag
        self.refuse(
            ref, f"the tag object itself is called {named(tag.name)}: it was copied to another name", hint, kind="bad-tag"
        )
        return None

    def only_version(self, ref: str, tag: TagText, parsed: VersionTag) -> None:
        hint = "one commit is one version of a name: tag another commit, or do without"
        for other, oid in self._versions.get(parsed.name, {}).items():
            if other != ref and self.git.commit_of(oid) == tag.target:
                self.refuse(ref, f"its commit is {_words(other)} already", hint, kind="two-versions")

    def next_number(self, ref: str, parsed: StageTag) -> None:
        highest = self._numbers.get((parsed.name, parsed.stage), 0)
        if parsed.number <= highest:
            hint = f"git fetch --tags, then take the next: {parsed.name}#{parsed.stage}#{highest + 1}"
            self.refuse(ref, f"there is #{parsed.stage}#{highest} already, and numbers only go up", hint, kind="stage-number")

    def stage(self, ref: str, oid: str, tag: TagText, parsed: StageTag) -> None:
        rule = self.push.policy.stages.get(parsed.stage, StageRule())
        if rule.branches is not None and not self.is_on(tag.target, rule.branches):
            names = ", ".join(map(named, rule.branches))
            hint = f"bring the commit into {names} first (by a push of its own, or a pull request), then push the tag"
            self.refuse(ref, f"its commit {tag.target[:10]} is not on {names or 'any branch'}", hint, kind="protected-stage")
        if rule.signers is None:
            self.signed("stage", ref, oid, tag)
        elif problem := self.signatures.problem(oid, tag.message, rule.signers):
            hint = f"only {', '.join(rule.signers) or 'nobody'} may put into {parsed.stage}: {_SIGN} {SIGNERS_PATH}"
            self.refuse(ref, problem, hint, kind="protected-stage")

    def signed(self, kind: TagKind, ref: str, oid: str, tag: TagText) -> None:
        policy = self.push.policy
        if kind not in policy.signed:
            return
        if problem := self.signatures.problem(oid, tag.message, policy.signers):
            hint = f"{_SIGN} {SIGNERS_PATH} on the server's branch"
            self.refuse(ref, f"the policy wants it signed: {problem}", hint, kind="unsigned-tag")

    def is_on(self, commit: str, branches: tuple[str, ...]) -> bool:
        """Whether one of these branches reaches a commit, as they are: of one push git may take the tag and refuse the branch."""
        heads = ((ref, oid) for ref, oid in self.push.refs.items() if ref.startswith(HEADS))
        tips = [oid for ref, oid in heads if fits_branch(branches, ref.removeprefix(HEADS))]
        if not tips:
            return False
        lines = "".join(f"{oid}\n" for oid in (commit, *(f"^{tip}" for tip in dict.fromkeys(tips))))
        return not self.git.git("rev-list", "--max-count=1", "--stdin", data=lines.encode()).strip()

    @cached_property
    def _versions(self) -> dict[str, dict[str, str]]:
        """Name -> ref -> object, with those that the push brings."""
        found: dict[str, dict[str, str]] = {}
        for ref, oid in {**self.push.refs, **self.after}.items():
            if ref.startswith(TAGS) and isinstance(parsed := parse_tag(ref.removeprefix(TAGS)), VersionTag):
                found.setdefault(parsed.name, {})[ref] = oid
        return found

    @cached_property
    def _numbers(self) -> dict[tuple[str, str], int]:
        """The highest number of each stage of each name that the server has."""
        found: dict[tuple[str, str], int] = {}
        for ref in self.push.refs:
            if ref.startswith(TAGS) and isinstance(parsed := parse_tag(ref.removeprefix(TAGS)), StageTag):
                key = (parsed.name, parsed.stage)
                found[key] = max(found.get(key, 0), parsed.number)
        return found


def _words(ref: str) -> str:
    """ "tag run/…", or the whole ref of what is no tag."""
    return f"tag {named(ref.removeprefix(TAGS))}" if ref.startswith(TAGS) else named(ref)
