"""`@gitmlog.track`: every call of a function is a run."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, overload

from gitmlog.api.process import AnyPath
from gitmlog.api.runs import active_run, start_run
from gitmlog.core.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")


@overload
def track(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def track(
    *,
    name: str | None = None,
    inputs: Sequence[AnyPath] = (),
    outputs: Sequence[AnyPath] = (),
    tags: Mapping[str, Any] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def track(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    inputs: Sequence[AnyPath] = (),
    outputs: Sequence[AnyPath] = (),
    tags: Mapping[str, Any] | None = None,
) -> Any:
    """Make every call of a function a run: `@gitmlog.track`, or `@gitmlog.track(outputs=["model.pt"])`.

    The arguments are its parameters; a dictionary of numbers that it returns becomes its metrics. In an active run it is nested.
    """

    def decorate(wrapped: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(wrapped)

        @functools.wraps(wrapped)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            nested = active_run() is not None
            with start_run(name or wrapped.__name__, inputs=inputs, outputs=outputs, tags=tags, nested=nested) as run:
                run.log_params(_arguments(bound))
                result = wrapped(*args, **kwargs)
                if isinstance(result, Mapping):
                    run.log_metrics({str(key): value for key, value in result.items() if _is_number(value)})
                return result

        return call

    return decorate if function is None else decorate(function)


def _arguments(bound: inspect.BoundArguments) -> dict[str, Any]:
    """What can be a parameter; of what is large (arrays, models) only the type."""
    simple = (str, int, float, bool, type(None), list, tuple, dict, os.PathLike)
    found = {}
    for name, value in bound.arguments.items():
        if name in ("self", "cls"):
            continue
        text = str(value) if isinstance(value, simple) else ""
        found[name] = value if isinstance(value, simple) and len(text) <= 1000 else f"<{type(value).__name__}>"
    return found


def _is_number(value: object) -> bool:
    from gitmlog.ops.runs.convert import metric_value

    try:
        metric_value(value)
    except UsageError:
        return False
    return True
