"""What every acquisition promises: kept by all registered ones, and each promise caught where it is broken."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from pytensor.gradient import disconnected_grad, zero_grad
from surrogate_cases import PLANE, TREE
from toy_surrogates import Slope

from bayeshpo.acquisitions.base import Acquisition, Known
from bayeshpo.acquisitions.log_ei import LogExpectedImprovement
from bayeshpo.acquisitions.noisy_ei import NoisyExpectedImprovement
from bayeshpo.acquisitions.ucb import UpperConfidenceBound
from bayeshpo.errors import SpecificationError
from bayeshpo.inference.stacked import StackedSurrogate
from bayeshpo.maximizers import Maximizer
from bayeshpo.registry import ACQUISITIONS, create
from bayeshpo.surrogates.gp import GaussianProcess
from bayeshpo.surrogates.horseshoe import HorseshoeRegression
from bayeshpo.surrogates.learning_curve import LearningCurveGaussianProcess
from bayeshpo.surrogates.sparse import SparseGaussianProcess
from bayeshpo.surrogates.symbolic import pt
from bayeshpo.surrogates.warped_outcome import WarpedOutcomeGaussianProcess
from bayeshpo.testing import ACQUISITION_PROMISES, AcquisitionUnderTest, check_acquisition
from bayeshpo.testing import acquisitions as promises

# Of each kind one: a process, a regression, inducing points, a process on a scale that is learnt, all of f in the
# hyperparameters, a mixture, one of two kinds, and trainings that may be stopped.
KINDS = {
    "gp": GaussianProcess(),
    "horseshoe": HorseshoeRegression(),
    "sparse": SparseGaussianProcess(),
    "warped_outcome": WarpedOutcomeGaussianProcess(),
    "slope": Slope(),
    "stacked": StackedSurrogate(["gp", "horseshoe"]),
    "of two kinds": StackedSurrogate(["gp", Slope()]),
    "learning_curve": LearningCurveGaussianProcess(),
}
TESTED = {name: create("acquisition", name, {}) for name in ACQUISITIONS} | {
    "ucb of the marginal": UpperConfidenceBound(1.0, marginal=True)
}
# Numbers, and then a choice too, on which an integer depends.
SPACES = {"plane": PLANE, "tree": TREE}
# Weighted draws, pending trials, failed trials; the last two are the furthest apart.
SITUATIONS = list(itertools.product((False, True), repeat=3))
PLAIN, ALL = SITUATIONS[0], SITUATIONS[-1]


def refused(acquisition, kind):
    """Whether an acquisition about what draws do not know, or about trainings, meets one that has nothing of them."""
    knows_all = acquisition.learns_function and kind in ("slope", "of two kinds")
    return knows_all or (bool(acquisition.fidelities) and kind != "learning_curve")


def cases():
    """The full product; what is not slow has every acquisition, every surrogate and every situation."""
    found = []
    for (name, acquisition), kind, space, situation in itertools.product(TESTED.items(), KINDS, SPACES, SITUATIONS):
        if refused(acquisition, kind):
            continue
        quick = situation in (PLAIN, ALL) if kind == "gp" else name in ("log_ei", "freeze_thaw") and situation == PLAIN
        quick |= (name, kind) == ("ei", "gp")
        quick &= space == "plane" or (name, kind) in (("log_ei", "gp"), ("noisy_ei", "gp"))
        told = "-".join(w for w, there in zip(("weighted", "pending", "failed"), situation, strict=True) if there)
        marks = [] if quick else [pytest.mark.slow]
        found.append(
            pytest.param(name, kind, space, situation, marks=marks, id=f"{name}-{kind}-{space}-{told or 'plain'}")
        )
    return found


@pytest.mark.parametrize(("name", "kind", "space", "situation"), cases())
def test_every_registered_acquisition_keeps_its_promises(name, kind, space, situation):
    tested = AcquisitionUnderTest(TESTED[name], KINDS[kind], SPACES[space], *situation)
    for promise in ACQUISITION_PROMISES:
        promise(tested)


@pytest.mark.parametrize(
    ("name", "kind"), [(n, k) for n, k in itertools.product(TESTED, KINDS) if refused(TESTED[n], k)]
)
def test_refusals_name_both(name, kind):
    with pytest.raises(SpecificationError, match=f"'{name}': expected a surrogate .* got '"):
        promises.refusals_name_both(AcquisitionUnderTest(TESTED[name], KINDS[kind], PLANE))


@dataclass(frozen=True)
class LowMean(Acquisition):
    """Minus the mean: right in everything, and cheap."""

    name = "low_mean"

    def over_draws(self, at, known, weight):
        return pt.sum(weight * (known.incumbent[:, None] - at.mean), axis=0)


class Matrix(LowMean):
    def over_draws(self, at, known, weight):
        return super().over_draws(at, known, weight)[:, None] + pt.zeros_like(at.mean)


class NotANumber(LowMean):
    def over_draws(self, at, known, weight):
        return pt.log(super().over_draws(at, known, weight) - 1e3)


class OthersMatter(LowMean):
    def over_draws(self, at, known, weight):
        value = super().over_draws(at, known, weight)
        return value - value.mean()


class NoGradient(LowMean):
    def over_draws(self, at, known, weight):
        return super().over_draws(replace(at, mean=zero_grad(at.mean)), known, weight) + 0.0 * at.mean.sum(axis=0)


class Unseeded(LowMean):
    def look(self, outlook):
        return Known({"incumbent": np.random.default_rng().random(len(outlook.tried))})


class FirstTrial(LowMean):
    def look(self, outlook):
        return Known({"incumbent": outlook.tried[:, 0]})


class InUnits(LowMean):
    def look(self, outlook):
        return Known({"incumbent": outlook.tried.min(axis=1) * outlook.evidence.data.scale})


class WithoutWeights(LowMean):
    def over_draws(self, at, known, weight):
        return (known.incumbent[:, None] - at.mean).mean(axis=0) + 0.0 * weight.sum(axis=0)


class NegativeFactor(LowMean):
    logarithmic = False

    def over_draws(self, at, known, weight):
        return super().over_draws(at, known, weight) - 1e3


class NoError(LowMean):
    def over_draws(self, at, known, weight):
        return super().over_draws(at, known, disconnected_grad(weight)) + 0.0 * weight.sum(axis=0)


class Anonymous(LowMean):
    def check(self, surrogate):
        raise SpecificationError("expected another one")


BROKEN = [
    (Anonymous, promises.refusals_name_both, "refusal: expected the names of .* got expected another one"),
    (Matrix, promises.values, r"values: expected shape \(18,\) \(candidates\), got"),
    (NotANumber, promises.values, "values: expected numbers, got others in 18 of 18"),
    (OthersMatter, promises.values, "value of a candidate by itself: expected"),
    (NoGradient, promises.right_gradient, "gradient: expected .* by central differences, got"),
    (Unseeded, promises.same_seed_same_value, "value for the same seed: expected"),
    (FirstTrial, promises.order_of_trials_does_not_matter, "value for shuffled trials: expected"),
    (InUnits, promises.unit_and_origin_of_the_loss_do_not_matter, r"value for losses times 1e\+06 plus 0: expected"),
    (WithoutWeights, promises.draws_count_by_their_weight, "value under weights of 0, 1 and 2: expected"),
    (NegativeFactor, promises.failures_are_worth_nothing, "value where a trial may fail: expected at most -1"),
    (NoError, promises.monte_carlo_error, "Monte Carlo error: expected more than 0, as draws differ, got 0"),
]  # fmt: skip


@pytest.mark.parametrize(("broken", "promise", "message"), BROKEN, ids=lambda p: getattr(p, "__name__", ""))
def test_a_broken_promise_is_caught_and_named(broken, promise, message):
    names = "acquisition 'low_mean', surrogate 'gp'"
    with pytest.raises(AssertionError, match=f"{names}: {message}.*weighted draws, pending trials, failed trials"):
        promise(AcquisitionUnderTest(broken(), KINDS["gp"], PLANE, *ALL))


def test_what_ones_own_is_while_trials_are_pending():
    class Lower(LogExpectedImprovement):
        def log_utility(self, mean, variance, incumbent):
            return super().log_utility(mean, variance, incumbent - 0.1)

    class Augmented(LowMean):
        improves, noisy = True, True

    gp = KINDS["gp"]
    assert LogExpectedImprovement().when_pending(gp) == NoisyExpectedImprovement()
    assert Lower().when_pending(gp).of == Lower()
    assert Augmented().when_pending(gp) == Augmented()


def test_a_search_that_ends_below_its_best_start_is_caught(monkeypatch):
    class Careless(Maximizer):
        def __call__(self, objective, space, taken, best, rng):
            found, pool = super().__call__(objective, space, taken, best, rng), self.pool(space, best, rng)
            worst = pool[[objective.value(pool).argmin()]]
            return replace(found, x=worst[0], value=float(objective.careful(worst)[0][0]))

    monkeypatch.setattr(promises, "_MAXIMIZER", Careless(candidates=64, starts=2))
    with pytest.raises(AssertionError, match=r"maximum: expected at least .*, the best candidate's, got"):
        promises.maximum_is_above_the_best_start(AcquisitionUnderTest(LowMean(), KINDS["gp"], PLANE))


def test_an_acquisition_of_ones_own_goes_through_all_promises_and_situations():
    check_acquisition(LowMean(), KINDS["gp"], {"x": (0.0, 1.0), "z": (0.0, 1.0)})


def test_a_surrogate_that_refuses_the_space_is_not_tested():
    with pytest.raises(SpecificationError, match="at most 3 hyperparameters, got 4"):
        check_acquisition(LowMean(), create("surrogate", "hsgp", {}), dict.fromkeys("abcd", (0.0, 1.0)))
