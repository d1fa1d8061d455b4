"""Convergence diagnostics of draws (Vehtari, Gelman, Simpson, Carpenter and Bürkner 2021), cheap enough for every fit.

The numbers are those of ArviZ, which goes through one hyperparameter after the other and sorts, ranks and transforms
anew for each diagnostic. Here all hyperparameters are one array, and what diagnostics share is computed once.

A number is NaN where a draw is not a number, where a chain has fewer than four draws, and for R-hat where there is one
chain.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from scipy.fft import next_fast_len
from scipy.special import ndtri

_FEWEST = 4
_TAILS = (0.05, 0.95)
# The offset of ranks whose normal scores are nearest to expected order statistics (Blom 1958).
_OFFSET = 3.0 / 8.0
# Draws that differ by less are constant.
_EQUAL = float(np.finfo(float).resolution)


class Convergence:
    """Diagnostics (Q,) of draws of Q hyperparameters; each is computed when it is asked for.

    Parameters
    ----------
    Q
        Draws (chain, draw, Q).
    """

    def __init__(self, Q: np.ndarray) -> None:
        draws = np.ascontiguousarray(Q.transpose(2, 0, 1), dtype=float)
        self._unknown = np.isnan(draws).any(axis=(1, 2))
        self._draws = np.where(self._unknown[:, None, None], 0.0, draws) if self._unknown.any() else draws

    @cached_property
    def rhat(self) -> np.ndarray:
        """Rank-normalised split R-hat: the larger of that of the draws and that of their distances from the median."""
        return self._between(_rhat)

    @cached_property
    def rhat_nested(self) -> np.ndarray:
        """The same with each chain for a superchain and its halves for chains (Margossian et al. 2024, eq. 8)."""
        return self._between(_rhat_nested)

    @cached_property
    def ess_bulk(self) -> np.ndarray:
        """Effective number of the ranks' normal scores."""
        return self._known(lambda: _effective(self._scores))

    @cached_property
    def ess_tail(self) -> np.ndarray:
        """Effective number for the 5 % or the 95 % quantile, whichever is smaller."""
        quantiles = np.quantile(self._draws, _TAILS, axis=(1, 2))[..., None, None]
        below = (_split((self._draws <= q).astype(float)) for q in quantiles)
        return self._known(lambda: np.minimum(*map(_effective, below)))

    @cached_property
    def ess_mean(self) -> np.ndarray:
        """Effective number for the mean of the draws as they are."""
        return self._known(lambda: _effective(self._halves))

    @cached_property
    def _halves(self) -> np.ndarray:
        return _split(self._draws)

    @cached_property
    def _scores(self) -> np.ndarray:
        return _normal_scores(self._halves)

    @cached_property
    def _folded(self) -> np.ndarray:
        return _normal_scores(np.abs(self._halves - np.median(self._halves, axis=(1, 2), keepdims=True)))

    def _between(self, statistic: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        def larger() -> np.ndarray:
            bulk, tail = statistic(self._scores), statistic(self._folded)
            # Where all draws are equally far from the median there is only the bulk.
            return np.where(tail > bulk, tail, bulk)

        return self._known(larger, chains=2)

    def _known(self, values: Callable[[], np.ndarray], chains: int = 1) -> np.ndarray:
        _, there, count = self._draws.shape
        if there < chains or count < _FEWEST:
            return np.full(len(self._draws), np.nan)
        return np.where(self._unknown, np.nan, values())


def bfmi(energy: np.ndarray) -> np.ndarray:
    """Energy fraction of missing information (chain,) of a gradient sampler's energies (chain, draw) (Betancourt 2016).

    How much of their variance is between draws that follow each other.
    """
    return np.square(np.diff(energy, axis=1)).mean(axis=1) / energy.var(axis=1, ddof=1)


def _split(draws: np.ndarray) -> np.ndarray:
    """First halves of all chains, then second halves (Q, 2 chain, half) of draws (Q, chain, draw)."""
    half = draws.shape[2] // 2
    return np.concatenate([draws[:, :, :half], draws[:, :, draws.shape[2] - half :]], axis=1)


def _normal_scores(draws: np.ndarray) -> np.ndarray:
    """Normal quantiles of the ranks of draws (Q, chain, draw) among all of their hyperparameter; equal ones share."""
    flat = draws.reshape(len(draws), -1)
    order = flat.argsort(axis=1)
    ordered, count = np.take_along_axis(flat, order, axis=1), flat.shape[1]
    ranks = np.broadcast_to(np.arange(1.0, count + 1.0), flat.shape)
    if (ordered[:, 1:] == ordered[:, :-1]).any():
        ranks = _shared(ordered)
    scores = np.empty_like(flat)
    np.put_along_axis(scores, order, ndtri((ranks - _OFFSET) / (count - 2.0 * _OFFSET + 1.0)), axis=1)
    return scores.reshape(draws.shape)


def _shared(ordered: np.ndarray) -> np.ndarray:
    """Ranks (Q, S) of ordered draws (Q, S); equal ones have the mean of theirs."""
    index = np.broadcast_to(np.arange(ordered.shape[1]), ordered.shape)
    edge = np.ones((len(ordered), 1), dtype=bool)
    differs = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(np.hstack([edge, differs]), index, 0), axis=1)
    last = np.where(np.hstack([differs, edge]), index, ordered.shape[1])
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    return (first + last) / 2.0 + 1.0


def _rhat(draws: np.ndarray) -> np.ndarray:
    """Potential scale reduction (Q,) of chains (Q, chain, draw)."""
    count = draws.shape[2]
    between = count * draws.mean(axis=2).var(axis=1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt((between / draws.var(axis=2, ddof=1).mean(axis=1) + count - 1.0) / count)


def _rhat_nested(halves: np.ndarray) -> np.ndarray:
    """Of superchains of two chains each (Q, 2 superchain, draw), as `_split` orders them."""
    size, _, count = halves.shape
    pairs = halves.reshape(size, 2, -1, count)
    means = pairs.mean(axis=3)
    within = (pairs.var(axis=3, ddof=1).mean(axis=1) + means.var(axis=1, ddof=1)).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(1.0 + means.mean(axis=1).var(axis=1, ddof=1) / within)


def _effective(draws: np.ndarray) -> np.ndarray:
    """Effective number (Q,) of draws (Q, chain, draw), by Geyer's (1992) initial monotone sequence."""
    _, chains, count = draws.shape
    constant = np.ptp(draws, axis=(1, 2)) < _EQUAL
    covariance = _autocovariance(draws)
    within = covariance[:, :1] * count / (count - 1.0)
    total = covariance[:, :1]
    if chains > 1:
        total = total + draws.mean(axis=2).var(axis=1, ddof=1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = 1.0 - (within - covariance) / total
    rho[:, 0] = 1.0
    least = 1.0 / np.log10(chains * count)
    return np.where(constant, chains * count, chains * count / np.maximum(_time(rho), least))


def _autocovariance(draws: np.ndarray) -> np.ndarray:
    """Mean over chains of the autocovariance at each lag (Q, draw) of draws (Q, chain, draw)."""
    count = draws.shape[2]
    padded = next_fast_len(2 * count, real=True)
    spectrum = np.fft.rfft(draws - draws.mean(axis=2, keepdims=True), padded, axis=2)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    return np.fft.irfft(power, padded, axis=1)[:, :count] / count


def _time(rho: np.ndarray) -> np.ndarray:
    """Integrated autocorrelation time (Q,) of autocorrelations (Q, lag).

    Sums of neighbours at lags 2k and 2k + 1 are positive and decrease for a reversible chain: they are added up to the
    first that is not positive, none with more than the one before; of that first one, what is positive at lag 2k.
    """
    pairs = max((rho.shape[1] - 1) // 2, 1)
    even, odd = (rho[:, first : 2 * pairs : 2] for first in (0, 1))
    sums = even + odd
    positive = sums > 0.0
    end = np.where(positive.all(axis=1), pairs - 1, positive.argmin(axis=1))[:, None]
    counted = np.where(np.arange(pairs) < end, np.minimum.accumulate(sums, axis=1), 0.0).sum(axis=1)
    rest, together = (np.take_along_axis(a, end, axis=1)[:, 0] for a in (even, sums))
    time = 2.0 * counted - 1.0 + np.where((rest > 0.0) | (together >= 0.0), rest, 0.0)
    return np.where(np.isnan(sums).any(axis=1), np.nan, time)
