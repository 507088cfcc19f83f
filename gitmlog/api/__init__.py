"""The public Python API: all that may be relied on between versions. `import gitmlog` re-exports it.

Nothing here prints. The user's own configuration is that of the command line (`~/.config/gitmlog/config.toml`, below
`XDG_CONFIG_HOME` where that is set) unless another file, or None for none, is given. The environment is read and written by
`gitmlog.api.process` alone: a run is handed to child processes by `GITMLOG_RUN`, and says which others it was run with.
Everything that goes wrong is a `GitmlogError` with `message`, `hint` and a stable `kind` (`gitmlog help errors`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EXPORTS = {
    "GitmlogError": "gitmlog.core.errors",
    **dict.fromkeys(("Repo", "get", "open"), "gitmlog.api.repo"),
    "ActiveRun": "gitmlog.api.active",
    "USER_CONFIG": "gitmlog.api.process",
    **dict.fromkeys(("active_run", "end_run", "last_run", "start_run"), "gitmlog.api.runs"),
    **dict.fromkeys(
        (
            *("log_artifact", "log_artifacts", "log_dict", "log_figure", "log_image", "log_input", "log_metric", "log_metrics"),
            *("log_model", "log_output", "log_param", "log_params", "log_table", "log_text", "set_tag", "set_tags"),
        ),
        "gitmlog.api.log",
    ),
    "track": "gitmlog.api.track",
    **dict.fromkeys(("Run", "Runs", "get_run", "search_runs"), "gitmlog.api.recorded"),
}
"""Each public name, and the module that has it."""


def __getattr__(name: str) -> Any:
    if name not in EXPORTS:
        raise AttributeError(f"module 'gitmlog.api' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(EXPORTS[name]), name)
