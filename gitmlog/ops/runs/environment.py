"""What a run ran on, recorded without being asked: collected beside the run, and never in its way (spec: run.md)."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path
from typing import Any

from gitmlog.core.canonical import Plain
from gitmlog.core.errors import GitmlogError
from gitmlog.core.secrets import Scrubber, is_secret_name
from gitmlog.ops.runs.machine import cpu_name, find_nvidia_smi, gpus
from gitmlog.runs.reader import MAX_SIZE, key_problem

VARIABLES = (
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "TOKENIZERS_PARALLELISM"),
    *("PYTHONHASHSEED", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_DEFAULT_ENV", "LD_PRELOAD", "XLA_FLAGS", "JAX_PLATFORMS"),
    *("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK", "MASTER_ADDR"),
    *("SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_JOB_PARTITION", "SLURM_*NODE*", "SLURM_NTASKS", "KUBERNETES_SERVICE_HOST"),
    *(
        "TF_CONFIG",
        "TF_CPP_*",
        "TF_CUDNN_*",
        "TF_DETERMINISTIC_*",
        "TF_ENABLE_*",
        "TF_FORCE_*",
        "TF_GPU_*",
        "TF_NUM_*",
        "TF_XLA_*",
    ),
    *("TORCH_*", "PYTORCH_*", "NCCL_*", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"),
)
"""The environment variables that are recorded by themselves: names, and patterns with `*`."""

LOCKS = (
    *(
        "uv.lock",
        "poetry.lock",
        "pdm.lock",
        "pylock.toml",
        "Pipfile.lock",
        "conda-lock.yml",
        "environment.yml",
        "environment.yaml",
    ),
    *("requirements*.txt", "pixi.lock"),
)
_MAX_LOCKS = 50
_MAX_LOCK = 64 << 20
_MAX_TEXT = 4_000
_MAX_VARIABLES = 500
_PATIENCE = 8.0
"""Seconds that another interpreter may take to say what it has."""

Facts = dict[str, Plain]


@dataclass(frozen=True)
class Wanted:
    """What `collect` looks at.

    Attributes:
        root: the top folder of the working tree.
        gitdir: the git directory; None to ask git nothing.
        variables: the environment of the process.
        patterns: more variables that are recorded (`runs.variables`).
        without: what is not recorded (`runs.without`).
        scrubber: takes secrets out.
        interpreter: the Python that the program runs on, where it is not this one, else "".
    """

    root: Path
    gitdir: Path | None
    variables: Mapping[str, str]
    patterns: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    scrubber: Scrubber = field(default_factory=Scrubber)
    interpreter: str = ""


@dataclass(frozen=True)
class Collected:
    """The tables of environment.toml, and why something is missing."""

    environment: dict[str, Facts]
    warnings: tuple[str, ...]


def collect(wanted: Wanted) -> Collected:
    """All that can be found out; raises nothing. May run in a thread of its own; imports nothing that computes."""
    parts: dict[str, Callable[[], Facts]] = {}
    if "environment" not in wanted.without:
        probed = cache(lambda: _probed(wanted.interpreter, wanted.variables))
        parts |= {"python": lambda: probed()[0], "packages": lambda: packages(probed()[1])}
        parts |= {"locks": partial(locks, wanted.root), "system": system_facts}
        parts |= {"gpu": partial(gpu_facts, wanted.variables), "git": partial(git_facts, wanted.gitdir)}
    if "variables" not in wanted.without:
        parts["variables"] = partial(chosen_variables, wanted.variables, wanted.patterns)
    if "seeds" not in wanted.without:
        parts["seeds"] = partial(seeds, wanted.variables)
    found: dict[str, Facts] = {}
    warnings = []
    for name, part in parts.items():
        try:
            found[name] = _clean(part(), wanted.scrubber)
        except Exception as error:  # noqa: BLE001 - a run is never stopped by what is only written down
            warnings.append(wanted.scrubber.text(f"the environment's {name} could not be recorded: {_said(error)}")[:_MAX_TEXT])
    return Collected({name: facts for name, facts in found.items() if facts}, tuple(warnings))


def _said(error: Exception) -> str:
    text = error.message if isinstance(error, GitmlogError) else str(error)
    return f"{type(error).__name__}: {' '.join(text.split())}"


def _clean(facts: Facts, scrubber: Scrubber) -> Facts:
    """What may stand in a record: no secret, nothing endless, no key or number that a reader would refuse."""
    kept = {key: value for key, value in facts.items() if not key_problem(key)}
    return {key: _clean_value(value, scrubber) for key, value in kept.items()}


def _clean_value(value: Plain, scrubber: Scrubber) -> Plain:
    if isinstance(value, str):
        return scrubber.text(value[:_MAX_TEXT])
    if isinstance(value, list | tuple):
        return [_clean_value(each, scrubber) for each in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -MAX_SIZE <= value <= MAX_SIZE:
        return str(value)
    return value


def packages(installed: Iterable[Sequence[str]]) -> Facts:
    """What is installed: name -> version; of two of one name, the first."""
    found: Facts = {}
    for name, version, origin in installed:
        found.setdefault(name, version + _origin(origin))
    return found


def _probed(interpreter: str, variables: Mapping[str, str]) -> tuple[Facts, list[Sequence[str]]]:
    """The interpreter of this process (""), or another one, and what is installed for it.

    Raises:
        OSError, ValueError, subprocess.SubprocessError: the other one does not say.
    """
    from gitmlog.ops.runs import probe

    if not interpreter:
        return dict(probe.interpreter()), list(probe.installed())
    import json
    import subprocess

    done = subprocess.run(
        [interpreter, "-c", probe.source()],
        cwd="/",
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=_PATIENCE,
    )
    facts, installed = json.loads(done.stdout)
    return dict(facts), list(installed)


def _origin(text: str | None) -> str:
    """Of an editable install its commit, as far as it is in git; of one that came from a repository that commit."""
    if not text:
        return ""
    import json

    try:
        origin = json.loads(text)
        url, folder, source = origin.get("url", ""), origin.get("dir_info", {}), origin.get("vcs_info", {})
        if folder.get("editable") and url.startswith("file://"):
            commit = _commit_of(url)
            return f" (editable, {commit})" if commit else " (editable)"
        commit = source.get("commit_id", "")
        return f" ({source.get('vcs', 'git')}, {commit})" if re.fullmatch("[0-9a-f]{40,64}", commit) else ""
    except (ValueError, AttributeError, TypeError):
        return ""


def _commit_of(url: str) -> str:
    from urllib.parse import unquote, urlsplit

    from gitmlog.git.elsewhere import head_of

    return head_of(Path(unquote(urlsplit(url).path)))


def locks(root: Path) -> Facts:
    """The files of the top folder that pin what is installed: name -> BLAKE3-256. Raises OSError."""
    from gitmlog.core.atomic import READ_FLAGS, is_regular
    from gitmlog.core.digest import hash_fd

    names = sorted(name for name in os.listdir(root) if any(fnmatchcase(name, pattern) for pattern in LOCKS))
    found: Facts = {}
    for name in names[:_MAX_LOCKS]:
        try:
            fd = os.open(root / name, READ_FLAGS)
        except OSError:  # a link, or gone meanwhile
            continue
        try:
            info = os.fstat(fd)
            if is_regular(info) and info.st_size <= _MAX_LOCK:
                found[name] = hash_fd(fd, info.st_size)[0]
        finally:
            os.close(fd)
    return found


def system_facts() -> Facts:
    """The machine: system, processor, cores, bytes of memory."""
    import platform

    import psutil

    facts: Facts = {"os": platform.system(), "release": platform.release(), "machine": platform.machine(), "cpu": cpu_name()}
    try:
        facts["distribution"] = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        facts["distribution"] = ""
    facts |= {"cores": psutil.cpu_count(logical=False) or 0, "threads": psutil.cpu_count() or 0}
    facts["memory"] = psutil.virtual_memory().total
    return {key: value for key, value in facts.items() if value}


def gpu_facts(variables: Mapping[str, str]) -> Facts:
    """What nvidia-smi says, where there is one. Raises OSError, subprocess.SubprocessError."""
    program = find_nvidia_smi(variables.get("PATH", ""))
    if program is None:
        return {}
    told = gpus(program, variables)
    facts: Facts = {"driver": told.driver, "cuda": told.cuda, "devices": list(told.devices)}
    return {key: value for key, value in facts.items() if value}


def git_facts(gitdir: Path | None) -> Facts:
    """The version of git, and the remote's URL without who logs in there. Raises GitError."""
    if gitdir is None:
        return {}
    from gitmlog.git.elsewhere import remote_url
    from gitmlog.git.plumbing import run_git

    said = run_git(gitdir, None, ["version"]).decode("utf-8", "replace")
    facts: Facts = {"version": said.strip().removeprefix("git version "), "remote": without_credentials(remote_url(gitdir))}
    return {key: value for key, value in facts.items() if value}


def without_credentials(url: str) -> str:
    """A git URL without password, without query, and without a user but that of ssh, where the name says which server it is."""
    scheme, sign, rest = url.partition("://")
    if not sign:
        return url
    place, slash, path = rest.partition("/")
    user, at, host = place.rpartition("@")
    kept = f"{user.partition(':')[0]}@" if at and scheme.lower() in ("ssh", "git+ssh", "ssh+git") else ""
    return f"{scheme}://{kept}{host}{slash}{re.split('[?#]', path, maxsplit=1)[0]}"


def chosen_variables(variables: Mapping[str, str], patterns: Sequence[str]) -> Facts:
    """The variables of the allow-list and of `patterns`; never one whose name says that it is a secret."""
    wanted = (*VARIABLES, *patterns)
    names = sorted(name for name in variables if any(fnmatchcase(name, pattern) for pattern in wanted))
    return {name: variables[name] for name in names[:_MAX_VARIABLES] if variables[name] and not is_secret_name(name)}


def seeds(variables: Mapping[str, str]) -> Facts:
    """Seeds that are known: only of libraries that the program imported already."""
    facts: Facts = {}
    hashed = variables.get("PYTHONHASHSEED", "")
    if hashed:
        facts["python"] = int(hashed) if re.fullmatch("[0-9]{1,10}", hashed) else hashed
    if (numpy := _imported("numpy")) is not None and (seed := _numpy_seed(numpy)) is not None:
        facts["numpy"] = seed
    if (torch := _imported("torch")) is not None:
        facts["torch"] = int(torch.initial_seed())
    return facts


def _imported(name: str) -> Any:
    """A library that is imported, whole: one that another thread is importing right now is left alone."""
    found = sys.modules.get(name)
    spec = getattr(found, "__spec__", None)
    return None if found is None or getattr(spec, "_initializing", False) else found


def _numpy_seed(numpy: Any) -> int | None:
    """The seed of numpy.random.seed, as long as nothing was drawn: its generator's first word is the seed itself.

    A generator that was seeded with chance, or that was drawn from, has no such seed: it is proved by seeding another one.
    """
    random = getattr(numpy, "random", None)
    if random is None:
        return None
    kind, words, position = random.get_state()[:3]
    if kind != "MT19937" or position != len(words):
        return None
    seed = int(words[0])
    return seed if (random.RandomState(seed).get_state()[1] == words).all() else None
