"""The fits of a surrogate along a study: one after another where the engine carries its draws on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.history import History
from bayeshpo.randomness import Streams
from bayeshpo.trial import Trial

if TYPE_CHECKING:
    from bayeshpo.inference.base import Engine
    from bayeshpo.inference.posterior import Posterior

# Entry of a suggestion's info: how many trials the fit behind it had seen.
FITTED = "fitted_on"


class Fits:
    """Posteriors of what trials say of the value, or of one metric.

    What is kept saves time only: the posterior is a function of the history and the streams.

    Parameters
    ----------
    surrogate
        Which surrogate is for a history.
    engine
        What fits.
    metric
        The metric that it is about; None for the value.
    """

    def __init__(self, surrogate: Callable[[History], Any], engine: Engine, metric: str | None = None) -> None:
        self._surrogate, self._engine, self._metric = surrogate, engine, metric
        # The newest posteriors by number of trials, with those trials.
        self._kept: dict[int, tuple[tuple[Trial, ...], Posterior]] = {}

    def posterior(self, history: History, rng: Streams) -> Posterior:
        """The posterior given all trials; with a sequential engine, by way of the fits that proposals were made from.

        Fits that were made for a look at the posterior alone are no step of that way, or looking would change what is
        proposed next.
        """
        if len(history) in self._kept and self._kept[len(history)][0] == history.trials:
            return self._kept[len(history)][1]
        earlier = _earlier(history)
        kept = {n: fit for n, fit in self._kept.items() if n in earlier and fit[0] == history.trials[:n]}
        # An engine that carries nothing on goes no way, but the fit before foretells the newest trials.
        carried = self._engine.sequential
        begun = max(kept, default=0) if carried else 0
        posterior = kept[begun][1] if begun else None
        for n in [*(earlier if carried else []), len(history)]:
            if n > begun:
                posterior = self._first(n, history, rng, posterior)
                kept[n] = history.trials[:n], posterior
        assert posterior is not None
        self._kept = {n: kept[n] for n in sorted(kept)[-2:]}
        return posterior

    def _first(self, n: int, history: History, rng: Streams, previous: Posterior | None) -> Posterior:
        """The posterior given the first n trials."""
        from bayeshpo.inference.density import log_density
        from bayeshpo.inference.fitting import fit
        from bayeshpo.surrogates.base import Columns, TrainingData

        history = replace(history, trials=history.trials[:n], pending=())
        surrogate, limits = self._surrogate(history), ()
        if self._metric is not None:
            constraint = history.aims.constraints.get(self._metric)
            history = history.of(self._metric)
            limits = () if constraint is None else [history.sign * limit for limit in constraint.finite]
        data = TrainingData.of(history, surrogate, limits=limits)
        density = log_density(surrogate, Columns.of(history.space))
        purpose = "inference" if self._metric is None else f"inference of {self._metric}"
        return fit(self._engine, density, data, rng=rng.generator(purpose, n), previous=previous)


def unforeseen(history: History) -> tuple[History, np.ndarray] | None:
    """The finished trials that no fit has seen, as the history of the last fit, and their places among all trials (m,).

    None where there was no fit before, or none has finished since.
    """
    seen = _fits(history)
    if not seen or seen[-1] == len(history):
        return None
    news = np.flatnonzero(history.finished[seen[-1] :])
    if not len(news):
        return None
    # Fits that led to what was pending then are steps of the way to that one too.
    return history.after(seen[-1]), seen[-1] + news


def _earlier(history: History) -> list[int]:
    return [n for n in _fits(history) if n < len(history)]


def _fits(history: History) -> list[int]:
    """Numbers of trials that fits had seen, as the suggestions made from them recorded them."""
    return sorted({s.info[FITTED] for s in history.suggestions if FITTED in s.info})
