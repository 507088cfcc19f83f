"""Whether more of a metric is better, by the words of its name."""

from __future__ import annotations

import re
from typing import Literal

Direction = Literal["min", "max"]

_SMALLER = """
    loss losses nll logloss entropy crossentropy hinge deviance divergence kl kld distance regret cost penalty brier ece mce
    error errors err mae mse rmse msle rmsle mape smape mad fpr fnr mistakes failures violations overfit gap
    perplexity ppl bpb bpc wer cer ter eer fid kid lpips aic bic
    latency duration delay runtime elapsed time seconds second secs sec ms milliseconds minutes hours memory mem bytes flops
"""
_WORDS = frozenset(_SMALLER.split())
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def direction(name: str) -> Direction:
    """ "min" when smaller values of the metric are better, as of `val_loss`, `RMSE` or `seconds/step`; else "max".

    What follows `per` or a slash with a number of something before it says nothing: `tokens_per_second`, `samples/sec`.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if "per" in words[1:]:
        words = words[: words.index("per", 1)]
    elif words and words[-1] in ("s", "sec", "second") and "/" in name:
        words = words[:-1]
    return "min" if _WORDS.intersection(words) else "max"
