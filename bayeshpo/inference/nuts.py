"""No-U-turn sampling (Hoffman and Gelman 2014), fitted anew at each n and gone on with until its checks pass.

The chains move in coordinates in which the posterior around its mode has unit covariance. That covariance costs a few
hundred gradients and saves thousands: the sampler has little left to adapt, and its trajectories are short.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from scipy.linalg import solve_triangular

from bayeshpo.errors import SpecificationError, unknown_name
from bayeshpo.inference.approximation import Gaussian
from bayeshpo.inference.base import Engine
from bayeshpo.inference.compilation import Stopwatch
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.laplace import laplace_approximation
from bayeshpo.inference.limits import DIVERGENCE_LIMIT
from bayeshpo.inference.nuts_chains import Chains, Sampler, Settings
from bayeshpo.inference.optimization import Target, find_mode, starting_points
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.report import InferenceReport, checked, described
from bayeshpo.surrogates.base import TrainingData

# Where each library's sampler is, and what has to be installed for it.
_SAMPLERS = {
    "nutpie": ("bayeshpo.inference.nuts_nutpie", "nutpie"),
    "pymc": ("bayeshpo.inference.nuts_pymc", "pymc"),
    "numpyro": ("bayeshpo.inference.nuts_numpyro", "numpyro"),
}
# Adaptation steps of further rounds, whose chains start where they should be.
_TUNE_AGAIN = 50
# Draws of a further round, by all before it.
_GROWTH = 0.5
# Smaller steps: the share of rejections that is adapted to, and adaptation steps, by the first attempt's.
_CAREFUL_REJECTIONS = 0.25
_CAREFUL_TUNE = 3
# How far from a mode a chain begins, in standard deviations of the Gaussian there.
_STEP_FROM_MODE = 0.1


@dataclass(frozen=True)
class NUTS(Engine):
    """NUTS in float64, with more draws or smaller steps where they are needed.

    The posterior of lengthscales is a narrow spike (the dimension matters) beside a wide shelf (it does not); the
    usual 4 x 250 draws seldom reach R-hat < 1.01. Chains that fail their checks are gone on with, by half as many
    draws again each time. Chains with divergences, or with trajectories that reached the largest length, start anew
    with smaller steps, in coordinates that only the sampler's own adaptation scales (action "retried").

    Parameters
    ----------
    chains
        Number of chains (>= 4).
    tune, draws
        Adaptation steps and kept draws of each chain in the first round.
    rounds
        How often to sample at most; each further round has half as many draws as all before.
    target_accept
        Acceptance rate that the step size is adapted to: 0.95 in place of 0.8 when retried.
    sampler
        Whose implementation: "nutpie", "pymc" or "numpyro" (an extra: `pip install 'bayeshpo[numpyro]'`).

    Raises
    ------
    SpecificationError
        If the sampler is unknown or not installed.
    """

    chains: int = 4
    tune: int = 100
    draws: int = 400
    rounds: int = 5
    target_accept: float = 0.8
    sampler: str = "nutpie"
    name = "nuts"

    def __post_init__(self) -> None:
        if self.chains < 4 or self.tune < 50 or self.draws < 100 or self.rounds < 1:
            raise ValueError(
                f"expected chains >= 4, tune >= 50, draws >= 100 and rounds >= 1, got chains={self.chains}, "
                f"tune={self.tune}, draws={self.draws}, rounds={self.rounds}"
            )
        if not 0.0 < self.target_accept < 1.0:
            raise ValueError(f"expected a target_accept between 0 and 1, got {self.target_accept}")
        if self.sampler not in _SAMPLERS:
            raise SpecificationError(unknown_name("sampler", self.sampler, _SAMPLERS))
        package = _SAMPLERS[self.sampler][1]
        if importlib.util.find_spec(package) is None:
            raise SpecificationError(
                f"expected the package '{package}' for sampler='{self.sampler}', but it is not installed: "
                f"pip install 'bayeshpo[{self.sampler}]', or 'uv sync --extra {self.sampler}' in a checkout"
            )

    def prepare(self, density: LogDensity) -> None:
        """Compile the density and its gradient now."""
        density.prepare()
        density.prepare_gradient()

    def fit(
        self, density: LogDensity, data: TrainingData, *, rng: np.random.Generator, previous: Posterior | None = None
    ) -> Posterior:
        """Sample until the checks of `report.checked` pass, or the rounds are spent (status "not_converged").

        Chains start at draws of ``previous``, if it is given, else at points of the prior that the data do not rule
        out. The status is "failed" where the density or its gradient is finite at no starting point.
        """
        watch = Stopwatch()
        report = InferenceReport(self.name, "sampled", len(data.y))
        target = density.value_and_gradient(data)
        starts, usable = self._starts(density, data, target, previous, rng)
        if not usable:
            reason = "no starting point has a finite log density and gradient"
            failed = replace(report, status="failed", reason=reason, **watch.seconds())
            return Posterior(density, data, starts[:, None], failed)
        gaussian, near = _at_mode(target, starts, rng)
        careful = 1.0 - _CAREFUL_REJECTIONS * (1.0 - self.target_accept)
        for action, coordinates, begin, settings in (
            ("sampled", gaussian, near, Settings(self.tune, self.draws, self.target_accept)),
            ("retried", _unscaled(starts.shape[1]), starts, Settings(_CAREFUL_TUNE * self.tune, self.draws, careful)),
        ):
            began = replace(report, action=action)
            chains, done = self._rounds(target, coordinates, begin, settings, began, watch, rng)
            if not _stumbled(done):
                break
        with watch.diagnosing():
            done = described(done, chains.draws)
        return Posterior(density, data, chains.draws, replace(done, **watch.seconds()), None, chains.statistics)

    def _starts(
        self, density: LogDensity, data: TrainingData, target: Target, previous: Posterior | None,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, bool]:  # fmt: skip
        """Starting points (chain, Q), and whether density and gradient are finite there."""
        known = None
        if previous is not None and previous.report.status != "failed" and previous.density.blocks == density.blocks:
            weights = None if previous.log_weights is None else np.exp(previous.log_weights.ravel())
            known = _usable(target, previous.draws[rng.choice(previous.size, self.chains, p=weights)])
        starts = starting_points(density, data, self.chains, rng) if known is None else known
        usable = _usable(target, starts) if known is None else known
        return (starts, False) if usable is None else (usable, True)

    def _rounds(
        self, target: Target, coordinates: Gaussian, starts: np.ndarray, settings: Settings, report: InferenceReport,
        watch: Stopwatch, rng: np.random.Generator,
    ) -> tuple[Chains, InferenceReport]:  # fmt: skip
        """Chains in the Gaussian's standardised coordinates, gone on with until the checks pass or cannot."""
        scaled, chains = _standardised(target, coordinates), None
        for _ in range(self.rounds):
            new = self._sample(scaled, _into(coordinates, starts), settings, rng)
            new = replace(new, draws=coordinates.place(new.draws))
            chains = new if chains is None else chains.followed_by(new)
            with watch.diagnosing():
                report = checked(report, chains.draws, chains.statistics)
            if report.status == "ok" or _stumbled(report):
                break
            more = int(_GROWTH * chains.draws.shape[1])
            starts, settings = chains.draws[:, -1], replace(settings, tune=_TUNE_AGAIN, draws=more)
        assert chains is not None
        return chains, report

    @property
    def _sample(self) -> Sampler:
        return importlib.import_module(_SAMPLERS[self.sampler][0]).sample


def _at_mode(target: Target, starts: np.ndarray, rng: np.random.Generator) -> tuple[Gaussian, np.ndarray]:
    """The Gaussian at the highest mode that the starts (chain, Q) lead to, and points (chain, Q) by the modes of each.

    Where there is no mode to speak of: a Gaussian that scales nothing, and the starts.
    """
    modes = [find_mode(target, [q]) for q in starts]
    near = np.array([m.q for m in modes if m is not None])
    approximation = laplace_approximation(target, near)
    if len(near) < len(starts) or approximation is None or approximation[1] is not None:
        return _unscaled(starts.shape[1]), starts
    gaussian = approximation[0]
    # nutpie takes the first gradient for a scale, and refuses a mode's for being none.
    near = near + _STEP_FROM_MODE * rng.standard_normal(near.shape) @ gaussian.factor.T
    standardised = _standardised(target, gaussian)
    finite = np.array([isfinite(standardised(z)[0]) for z in _into(gaussian, near)])
    return gaussian, np.where(finite[:, None], near, starts)


def _unscaled(size: int) -> Gaussian:
    return Gaussian(np.zeros(size), np.eye(size))


def _into(coordinates: Gaussian, Q: np.ndarray) -> np.ndarray:
    """Standardised coordinates (chain, Q) of points Q (chain, Q)."""
    return solve_triangular(coordinates.factor, (Q - coordinates.mean).T, lower=True).T


def _standardised(target: Target, coordinates: Gaussian) -> Target:
    """The same log density, with its gradient, as a function of standardised coordinates z (Q,).

    Where it or its gradient is no number it is -inf, which every sampler takes for a divergence.
    """
    mean, factor = coordinates.mean, coordinates.factor
    nothing = np.zeros(len(mean))

    def density(z: np.ndarray) -> tuple[float, np.ndarray]:
        with np.errstate(all="ignore"):
            value, gradient = target(mean + factor.dot(z))
            slope = gradient.dot(factor)
            finite = isfinite(value) and isfinite(slope.dot(slope))
        return (value, slope) if finite else (-np.inf, nothing)

    return density


def _usable(target: Target, Q: np.ndarray) -> np.ndarray | None:
    """As many points (chain, Q) of those where the density and its gradient are finite; None if there are none."""
    values = [target(np.ascontiguousarray(q)) for q in Q]
    found = [q for q, (value, slope) in zip(Q, values, strict=True) if np.isfinite(value) and np.isfinite(slope).all()]
    return np.resize(found, Q.shape) if found else None


def _stumbled(report: InferenceReport) -> bool:
    """Whether the sampler could not follow the density with its steps: more draws would not help."""
    missed = max(report.divergences or 0, report.tree_depth_hits or 0)
    return missed > DIVERGENCE_LIMIT * report.chains * report.draws
