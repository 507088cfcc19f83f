"""gitmlog: models, datasets and artifacts versioned with git."""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers take it for typing's, whose import costs half of `gitmlog --version`
if TYPE_CHECKING:
    from typing import Any

    from gitmlog.api.active import ActiveRun as ActiveRun
    from gitmlog.api.log import log_artifact as log_artifact
    from gitmlog.api.log import log_artifacts as log_artifacts
    from gitmlog.api.log import log_dict as log_dict
    from gitmlog.api.log import log_figure as log_figure
    from gitmlog.api.log import log_image as log_image
    from gitmlog.api.log import log_input as log_input
    from gitmlog.api.log import log_metric as log_metric
    from gitmlog.api.log import log_metrics as log_metrics
    from gitmlog.api.log import log_model as log_model
    from gitmlog.api.log import log_output as log_output
    from gitmlog.api.log import log_param as log_param
    from gitmlog.api.log import log_params as log_params
    from gitmlog.api.log import log_table as log_table
    from gitmlog.api.log import log_text as log_text
    from gitmlog.api.log import set_tag as set_tag
    from gitmlog.api.log import set_tags as set_tags
    from gitmlog.api.process import USER_CONFIG as USER_CONFIG
    from gitmlog.api.recorded import Run as Run
    from gitmlog.api.recorded import Runs as Runs
    from gitmlog.api.recorded import get_run as get_run
    from gitmlog.api.recorded import search_runs as search_runs
    from gitmlog.api.repo import Repo as Repo
    from gitmlog.api.repo import get as get
    from gitmlog.api.repo import open as open
    from gitmlog.api.runs import active_run as active_run
    from gitmlog.api.runs import end_run as end_run
    from gitmlog.api.runs import last_run as last_run
    from gitmlog.api.runs import start_run as start_run
    from gitmlog.api.track import track as track
    from gitmlog.core.errors import GitmlogError as GitmlogError


def __getattr__(name: str) -> Any:
    from gitmlog.api import EXPORTS

    if name == "__all__":
        return sorted([*EXPORTS, "__version__"])
    if name not in EXPORTS:
        raise AttributeError(f"module 'gitmlog' has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(EXPORTS[name]), name)
    globals()[name] = found  # the next look-up costs nothing: a training loop logs often
    return found


def __dir__() -> list[str]:
    from gitmlog.api import EXPORTS

    return sorted([*EXPORTS, "__version__"])
