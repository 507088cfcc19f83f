"""A run that goes on, in the process that will record it or in one that joined it: logging, and the end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from time import monotonic
from time import time as now
from typing import TYPE_CHECKING, Any

from gitmlog.core.errors import GitmlogError, UsageError
from gitmlog.core.paths import display
from gitmlog.core.secrets import Scrubber
from gitmlog.ops.runs.begin import ended_error
from gitmlog.ops.runs.checks import check_key, mapping, moment, whole
from gitmlog.ops.runs.convert import flatten_params, metric_value
from gitmlog.ops.runs.folder import RunFolder
from gitmlog.ops.runs.output import LogFile
from gitmlog.repo.workspace import Workspace
from gitmlog.runs.fold import Folded, fold, same_value
from gitmlog.runs.journal import Journal, read_journals
from gitmlog.runs.record import ParamValue, Status

if TYPE_CHECKING:
    from gitmlog.ops.runs.finish import Recorded

FLUSH = 0.25
"""Seconds after which what was logged is in the journal: kill -9 loses no more."""

_STEPS = 1 << 62
MAX_METRICS = 20_000
MAX_TAGS = 200_000
MAX_PATHS = 300_000
"""Characters of all tags together, and of all inputs, outputs and models with their facts."""

MAX_PARAMS = 400_000
"""Characters of all parameters together: a record has 1 MiB."""

Tell = Callable[[str], None]


class LiveRun:
    """Logging into one run. Every method may be called from any thread.

    What the user did wrong is raised at the call. What this machine cannot do (a full disk) is told once by `tell`, kept as a
    warning in the run, and stops nothing.

    Attributes:
        ws: the repository.
        folder: where the run is written down while it goes on.
        facts: what start.json says.
        is_owner: whether this process records the run; else it joined it.
        log: what keeps the output, or None.
        recorded: what was recorded, after a good end.
        ended_as: the status that its body ended with.
        failure: why it could not be recorded, or None.
    """

    def __init__(
        self, ws: Workspace, folder: RunFolder, facts: Mapping[str, Any], *, owner: int | None, scrub: Scrubber, tell: Tell
    ) -> None:
        self.ws = ws
        self.folder = folder
        self.facts = facts
        self.id = folder.id
        self.name = str(facts["name"])
        self.is_owner = owner is not None
        self.recorded: Recorded | None = None
        self.failure: Exception | None = None
        self.journal = Journal(folder.path, self._disk_trouble)
        self.params: dict[str, ParamValue] = {}
        self.log: LogFile | None = None
        self._tags: dict[str, str] = {}
        self._paths: dict[str, int] = {}
        self._ending = False
        self.artifacts = 0
        self.ended = False
        self.ended_as: Status | None = None
        self._owner = owner
        self._scrub = scrub
        self._tell = tell
        self._told: set[str] = set()
        self._keys: set[str] = set()
        self._guard = threading.RLock()
        self._began = monotonic()
        self._stop = threading.Event()
        self._late: list[str] = []
        self._on_flush: list[Callable[[], None]] = []
        self._before_end: list[Callable[[], None]] = []
        self._append: Callable[[tuple[str, float, int | None, float]], None] = self.journal.pending.append
        if self.is_owner:
            self._start_flusher()
        else:
            self._write_through()

    # Logging

    def log_metric(self, key: str, value: Any, step: int | None = None, time: float | None = None) -> None:
        """One value of a metric; `time` in seconds since 1970, now unless it is given.

        Raises:
            UsageError: kinds `bad-metric`, `bad-key`, `run-ended`.
        """
        if key not in self._keys:
            self._new_key(key)
        if type(value) is not float:
            value = metric_value(value)
        if step is not None and (type(step) is not int or not -_STEPS < step < _STEPS):
            step = whole(step, "step")
        self._append((key, value, step, now() if time is None else moment(time)))

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None, time: float | None = None) -> None:
        """Several values of one step. Raises as `log_metric`; then none of them was logged."""
        at = now() if time is None else moment(time)
        if step is not None and (type(step) is not int or not -_STEPS < step < _STEPS):
            step = whole(step, "step")
        rows = []
        for key, value in mapping(metrics, "log_metrics").items():
            if key not in self._keys:
                self._new_key(key)
            rows.append((key, value if type(value) is float else metric_value(value), step, at))
        for row in rows:
            self._append(row)

    def _new_key(self, key: str) -> None:
        self.check()
        self.check_key("metric", key)
        if len(self._keys) >= MAX_METRICS:
            hint = "names are for what is measured; what varies belongs into the step or into log_table"
            raise UsageError(f"more than {MAX_METRICS:,} metrics", kind="bad-key", hint=hint)
        self._keys.add(key)

    def log_params(self, params: Any) -> None:
        """Parameters: a mapping, an argparse.Namespace or a dataclass; nested ones are flattened with dots.

        Raises:
            UsageError: kind `param-changed`: one has another value already; then none of them was logged.
        """
        flat = flatten_params(params)
        with self._guard:
            self.check()
            fresh = {}
            for key, value in flat.items():
                self.check_key("parameter", key)
                value = self._scrub.param(key, value)  # noqa: PLW2901
                if key in self.params:
                    self._same(key, value)
                else:
                    fresh[key] = value
            self._fits(fresh)
            self.params |= fresh
            for key, value in fresh.items():
                self.journal.write("param", key, value)

    def _same(self, key: str, value: ParamValue) -> None:
        known = self.params[key]
        if not same_value(known, value):
            hint = "a parameter has one value a run: log what changes as a metric, or start another run"
            raise UsageError(
                f"parameter {key} is {known!r} in this run: it cannot become {value!r}", kind="param-changed", hint=hint
            )

    def _fits(self, fresh: Mapping[str, ParamValue]) -> None:
        if sum(len(key) + len(str(value)) + 10 for key, value in {**self.params, **fresh}.items()) > MAX_PARAMS:
            hint = "log_dict or log_text keeps it as an artifact"
            raise UsageError(f"the parameters have more than {MAX_PARAMS:,} characters", kind="too-large", hint=hint)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Words of the user's own about the run; a tag set again has the new value."""
        self.check()
        checked = {}
        for key, value in mapping(tags, "set_tags").items():
            self.check_key("tag", key)
            text = str(value)
            if len(text) > 5000:
                raise UsageError(
                    f"tag {key} has {len(text)} characters (at most 5,000)", kind="too-large", hint="log_text keeps it"
                )
            checked[key] = str(self._scrub.param(key, text))
        with self._guard:
            tags = {**self._tags, **checked}
            if sum(len(key) + len(text) + 10 for key, text in tags.items()) > MAX_TAGS:
                raise UsageError(f"the tags have more than {MAX_TAGS:,} characters", kind="too-large", hint="log_text keeps it")
            self._tags = tags
            for key, text in checked.items():
                self.journal.write("tag", key, text)

    def check_key(self, what: str, key: object) -> None:
        """Raise UsageError, kind `bad-key`, for what may not name it; a name is shown everywhere, and holds no secret."""
        check_key(what, key)
        if self._scrub.text(str(key)) != key:
            raise UsageError(f"the name of a {what} looks like a secret", kind="bad-key", hint="secrets belong into no record")

    def make_room(self, path: str) -> None:
        """Raise UsageError, kind `too-large`, for more inputs, outputs and models than a record holds."""
        self._paths[path] = len(path) + 150
        if sum(self._paths.values()) > MAX_PATHS:
            del self._paths[path]
            hint = "name the folder that they lie in: it is one path, and every file is kept"
            raise UsageError(f"more inputs and outputs than a record holds ({len(self._paths):,})", kind="too-large", hint=hint)

    @property
    def started_at(self) -> float:
        """Seconds since 1970."""
        return datetime.fromisoformat(str(self.facts["started"])).timestamp()

    def add_time(self, seconds: float) -> None:
        """It took so much already, in a process that was killed."""
        self._began -= seconds

    def call_it(self, name: str) -> None:
        """A process that joined gives the run a name, where nobody did."""
        self.journal.write("name", name)
        if not self.facts.get("named"):
            self.name = name

    def tell_drift(self) -> None:
        """The data that the run was started with is not what its commit says, unless it is named as what it reads or writes."""
        named = {*self.folded().inputs, *self.facts["outputs"]}
        for path in self.facts.get("drifted", []):
            if path not in named:
                text = f"{display(path)} is not as its metafile says, and the run's commit has that version: name it as an input"
                self.warn(text)
                self._tell(f"run {self.id}: {text} (-i {display(path)}), or gitmlog add it")

    def warn(self, text: str) -> None:
        """Keep a warning in the run."""
        if not self.ended:
            self.journal.write("warning", self._scrub.text(text))

    def fail(self, error: BaseException, trace: str) -> None:
        """The body ended with this exception; `trace` is its traceback. It is the run's, also when a joined process had it."""
        text = self._scrub.text(f"{type(error).__name__}: {error}".strip().removesuffix(":"))
        self.journal.write("error", " ".join(text.split())[:500])
        from gitmlog.ops.runs.keep import keep_bytes

        keep_bytes(self, self._scrub.text(trace).encode("utf-8", "replace"), "traceback.txt")

    # What was logged

    def folded(self) -> Folded:
        """All that was logged so far, by every process."""
        self.journal.flush()
        return fold(read_journals(self.folder.path))

    # The life of a run

    def on_flush(self, call: Callable[[], None]) -> None:
        """Call it whenever the journal is flushed."""
        self._on_flush.append(call)

    def before_end(self, call: Callable[[], None]) -> None:
        """Call it when the body is over, before the run is recorded."""
        self._before_end.append(call)

    def flush(self) -> None:
        """Write down what was logged."""
        self.journal.flush()
        for call in self._on_flush:
            call()

    def _start_flusher(self) -> None:
        threading.Thread(target=self._flush_forever, args=(self._stop,), name="gitmlog-flush", daemon=True).start()

    def _flush_forever(self, stop: threading.Event) -> None:
        if not stop.wait(FLUSH):
            with suppress(Exception):  # what the end needs is there before the program changes or removes it
                import gitmlog.ops.runs.finish  # noqa: F401
        while not stop.is_set():
            with suppress(Exception):  # a thread of ours never speaks into the user's program
                self.flush()
            stop.wait(FLUSH)

    def _write_through(self) -> None:
        """A joined process may end without a word (os._exit, terminate): each value is written at once."""
        journal = self.journal

        def append(row: tuple[str, float, int | None, float]) -> None:
            self.check()  # its owner may have ended it: what is written then is read by nobody
            journal.pending.append(row)
            journal.flush()

        self._append = append

    def forked(self) -> None:
        """Called in a child process right after a fork: the run is still the parent's, this process has joined it."""
        self.is_owner = False
        self._guard = threading.RLock()
        self._stop = threading.Event()
        self._before_end.clear()
        self._on_flush.clear()
        if self._owner is not None:
            with suppress(OSError):
                os.close(self._owner)  # the lock is the parent's: it must go when the parent does
            self._owner = None
        self.journal.forked()
        self._write_through()

    def discard(self) -> None:
        """Forget a run whose body never began; nothing of it stays."""
        from gitmlog.git.durable import delete_ref, git_errors

        with self._guard:
            self._stop_observing()
            with suppress(GitmlogError, OSError), git_errors():
                delete_ref(self.ws.git, self.folder.live_ref)
            self.folder.remove()
            self._close()

    def leave(self) -> None:
        """A joined process has no more to say."""
        self.flush()
        self.journal.close()
        self._close()

    def end(self, status: Status, code: int | None = None) -> None:
        """Record the run. Nothing is raised: what goes wrong is told, and `failure` has it; the run can be recovered."""
        with self._guard:
            if self.ended or self._ending:  # a signal's handler may come in the midst of it
                return
            self._ending = True
            self._stop_observing()
            self.ended_as = status
            try:
                self._say_end(status, code)
                from gitmlog.ops.runs.finish import finish

                self.recorded = finish(self.ws, self.folder)
                for text in self.recorded.fresh:
                    self._tell(f"run {self.id}: {text}")
            except Exception as error:  # noqa: BLE001 - after hours of training nothing of ours may be raised into the program
                self.failure = error
                self._tell_failure(error)
            finally:
                self._close()

    def _stop_observing(self) -> None:
        for call in self._before_end:
            with suppress(Exception):
                call()
        self._stop.set()

    def _say_end(self, status: Status, code: int | None) -> None:
        self.flush()
        for text in self._late:
            self.journal.write("warning", text)
        self.journal.write("end", status, code, monotonic() - self._began)
        self.journal.sync()

    def _tell_failure(self, error: Exception) -> None:
        said = error.message if isinstance(error, GitmlogError) else getattr(error, "strerror", None) or str(error)
        if not self.folder.is_started:
            self._tell(
                f"run {self.id} could not be recorded: {display(os.fspath(self.folder.path))} was removed while it went on"
            )
            return
        lost = "What was logged last could not be kept, all else is" if self.journal.is_behind else "Nothing of it is lost"
        self._tell(f"run {self.id} could not be recorded: {said}. {lost}: mend that, then `gitmlog runs recover`")

    def _close(self) -> None:
        self.ended = True
        self._append = self._refuse
        self._keys.clear()
        self.journal.close()
        if self._owner is not None:
            os.close(self._owner)
            self._owner = None

    def _refuse(self, _: object) -> None:
        self.check()

    def check(self) -> None:
        """Raise UsageError, kind `run-ended`, when nothing can be logged any more."""
        if self.ended or not (self.is_owner or self.folder.is_started):
            raise ended_error(self.id)

    def trouble(self, what: str, error: Exception | str) -> None:
        """Something of ours does not work: told once a kind, kept as a warning, and the program goes on."""
        said = error.message if isinstance(error, GitmlogError) else (getattr(error, "strerror", None) or str(error))
        self._late.append(self._scrub.text(f"{what}: {said}"))
        kind = f"{what.split(maxsplit=1)[0]}: {said}"  # a full disk is told of artifacts once, and of what is logged once
        if kind not in self._told:
            self._told.add(kind)
            self._tell(f"run {self.id}: {what}: {said}; the program goes on")

    def trouble_about(self, what: str) -> Callable[[str], None]:
        """What a helper of the run calls when it cannot go on."""
        return lambda said: self.trouble(f"{what} is not recorded any more", said)

    def _disk_trouble(self, error: OSError) -> None:
        self.trouble("what is logged could not be written down, and is tried again", error)
