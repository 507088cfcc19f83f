"""Round numbers for the axes of a chart."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gitmlog.runs.tags import short

_DIGITS = 12
_MANY = 1000
_MUCH = 0.7


def ticks(start: float, end: float, count: int, *, whole: bool = False) -> dict[float, str]:
    """Round numbers from `start` to `end`, about `count` of them, with their texts; `whole`: integers alone."""
    step = _step((end / 2 - start / 2) / count * 2)
    step = max(1.0, step) if whole else step
    if not 0 < step < math.inf or abs(start) / step > 1e15 or abs(end) / step > 1e15:
        return {value: short(value) for value in (start, end)}
    slack = 1e-9 * min(1.0, (end - start) / step)
    first, last = math.ceil(start / step - slack), math.floor(end / step + slack)
    return _with_texts([number * step for number in range(first, min(last, first + _MANY) + 1)], step)


def log_ticks(start: float, end: float, count: int) -> dict[float, str]:
    """The same for a logarithmic scale, whose ends are decimal logarithms: powers of ten, or round numbers between."""
    low, high = math.ceil(start - 1e-9), math.floor(end + 1e-9)
    powers = range(low, high + 1, max(1, math.ceil((high - low) / count)))
    found = [_power(power) for power in powers]
    if len(found) < 3:
        found = [factor * _power(power) for power in range(math.floor(start), high + 1) for factor in (1, 2, 5)]
        found = [value for value in found if 0 < value < math.inf and start <= math.log10(value) <= end]
    if len(found) < 2:
        return ticks(_power(start), _power(end), count)
    return {value: short(value) for value in found}


def _power(exponent: float) -> float:
    return float(10.0 ** max(-307.0, min(308.0, exponent)))


def _step(rough: float) -> float:
    """The smallest of 1, 2, 5, 10… times a power of ten that is not much below it."""
    if not 1e-300 < rough < 1e300:
        return math.inf
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= rough * _MUCH)


def _with_texts(values: Sequence[float], step: float) -> dict[float, str]:
    """With so many digits that neighbours differ."""
    largest = max(map(abs, values), default=0.0)
    digits = min(_DIGITS, math.floor(math.log10(largest)) - math.floor(math.log10(step)) + 1) if largest else 1
    texts = {}
    for value in values:
        exact = float(f"{value:.{_DIGITS}g}")
        texts[value] = short(exact) if digits <= 4 else f"{exact:.{digits}g}"
    return texts
