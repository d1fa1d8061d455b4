"""What every surrogate promises: kept by all registered ones, and each promise caught where it is broken."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
from pytensor.gradient import zero_grad
from surrogate_cases import MIXED, PLANE, TREE
from toy_surrogates import Level, Slope

from bayeshpo.errors import SpecificationError
from bayeshpo.registry import SURROGATES, create
from bayeshpo.surrogates.symbolic import pt
from bayeshpo.testing import MIXTURE_PROMISES, SURROGATE_PROMISES, SurrogateUnderTest, check_surrogate
from bayeshpo.testing import surrogates as promises

# From the richest on.
SPACES = {"conditional": TREE, "mixed": MIXED, "continuous": PLANE}
# Their density costs milliseconds however few the trials are: a fit of one takes a minute.
COSTLY_FITS = ("hsgp",)
# The functions of three members; tests/test_stacked.py has two of them on a plane.
COSTLY = ("stacked",)


def registered(name, space):
    return SurrogateUnderTest(create("surrogate", name, {}), SPACES[space])


def refusal(name, space):
    """Why a surrogate refuses a space; None where it does not."""
    tested = registered(name, space)
    try:
        tested.surrogate.check(tested.columns)
    except SpecificationError as error:
        return str(error)
    return None


def cases():
    """Every promise of every surrogate, on the richest space that it accepts, and slowly on the others."""
    found = []
    for name in SURROGATES:
        accepted = [space for space in SPACES if refusal(name, space) is None]
        kept = MIXTURE_PROMISES if name == "stacked" else SURROGATE_PROMISES
        for space, promise in itertools.product(accepted, kept):
            costly = name in COSTLY or (name in COSTLY_FITS and promise is promises.fits)
            slow = costly or space != accepted[0]
            marks = [pytest.mark.slow] if slow else []
            found.append(pytest.param(name, space, promise, marks=marks, id=f"{name}-{space}-{promise.__name__}"))
    return found


@pytest.mark.parametrize(("name", "space", "promise"), cases())
def test_every_registered_surrogate_keeps_its_promises(name, space, promise):
    promise(registered(name, space))


@pytest.mark.parametrize("name", SURROGATES)
def test_spaces_are_refused_in_words_and_by_restricted_surrogates_only(name):
    reasons = [refusal(name, space) for space in SPACES]
    assert None in reasons
    refused = [reason for reason in reasons if reason is not None]
    assert all(f"'{name}': expected" in reason and ", got " in reason for reason in refused)
    assert SURROGATES[name].restricted or not refused


class WrongShape(Slope):
    def predict(self, columns, p, state, data, Z):
        mean, variance = super().predict(columns, p, state, data, Z)
        return mean[:, None], variance


class NanVariance(Slope):
    def predict(self, columns, p, state, data, Z):
        mean, variance = super().predict(columns, p, state, data, Z)
        # A root that is one of nothing but for rounding.
        return mean, pt.sqrt(variance - 2.0 * variance.max())


class OthersMatter(Slope):
    def predict(self, columns, p, state, data, Z):
        mean, variance = super().predict(columns, p, state, data, Z)
        return mean - mean.mean(), variance


class WrongGradient(Slope):
    def latent(self, columns, p, X):
        # Steps too small to be seen: differences say 1, the gradient says 0.
        return super().latent(columns, p | {"level": pt.floor(1e9 * p["level"]) / 1e9}, X)


class WrongPullback(Slope):
    def predict(self, columns, p, state, data, Z):
        return super().predict(columns, p, state, data, zero_grad(Z) + 0.0 * Z)


class OrderMatters(Slope):
    def likelihood(self, p, f, y):
        # A random walk: each trial is compared with the one before.
        pm.Normal("outcome", pt.concatenate([f[:1], (f[1:] + y[:-1]) / 2.0]), p["noise"] + 0.1, observed=y)


class FittedElsewhere(Slope):
    def fitted(self, columns, p, state, data):
        return data["y"]


class ForgetsBelieved(Slope):
    def believing(self, columns, data, X, y):
        return data


class MoreThanThePrior(Slope):
    def likelihood(self, p, f, y):
        super().likelihood(p, f, y)
        pm.Potential("constant", pt.sqr(p["level"]))


class UnitMatters(Slope):
    def prepared(self, columns, data, draws=None, before=None):
        return replace(data, y=data.y * np.log10(data.scale))


class OtherFunctions(Slope):
    def prior_functions(self, columns, X, draws, rng):
        values, f = super().prior_functions(columns, X, draws, rng)
        return values, f + 1.0


class SharpNoise(Slope):
    """Without a nugget, a noise that can be nothing."""

    def likelihood(self, p, f, y):
        pm.Normal("outcome", f, pt.maximum(p["noise"] - 0.2, 0.0), observed=y)


class MoreForMoreTrials(Slope):
    def model(self, columns, X, y):
        model = super().model(columns, X, y)
        with model:
            pm.Normal("effect", 0.0, 1.0, shape=len(y))
        return model


BROKEN = [
    (MoreForMoreTrials, promises.model_of_any_number_of_trials, r"model: expected hyperparameters .*\(0,\).*n = 1"),
    (SharpNoise, promises.finite_density, "log density: expected finite values at draws of the prior, got others in"),
    (MoreThanThePrior, promises.prior_where_nothing_has_finished, "should be the prior's: expected .* trials"),
    (WrongGradient, promises.right_gradient, "gradient of the log density: expected .* by central differences, got"),
    (OrderMatters, promises.order_of_trials_does_not_matter, "log density of shuffled trials: expected"),
    (UnitMatters, promises.unit_of_the_loss_does_not_matter, r"log density: expected .* \(losses times 1e\+12\)"),
    (WrongShape, promises.predictions, r"predicted mean: expected shape \(16, 6\) .*, got \(16, 6, 1\)"),
    (NanVariance, promises.predictions, "predicted variance: expected positive, finite values, got others in 96 of 96"),
    (OthersMatter, promises.predictions, "predicted mean of a candidate by itself: expected"),
    (OtherFunctions, promises.prior_functions_are_predicted, "prior functions: expected mean of .* at most 0.25"),
    (WrongPullback, promises.right_pullback, "derivative of predictions by candidates: expected .* got 0"),
    (FittedElsewhere, promises.fitted_is_predicted, "fitted mean, which should be predict's at the trials: expected"),
    (ForgetsBelieved, promises.believed_points_are_known, r"fitted: expected shape \(16, 11\).* got \(16, 5\)"),
    (NanVariance, promises.odd_trials_are_survived, "predicted variance: .*every trial twice"),
]  # fmt: skip


@pytest.mark.parametrize(("broken", "promise", "message"), BROKEN, ids=lambda p: getattr(p, "__name__", ""))
def test_a_broken_promise_is_caught_and_named(broken, promise, message):
    with pytest.raises(AssertionError, match=f"surrogate 'slope': .*{message}"):
        promise(SurrogateUnderTest(broken(), PLANE))


def test_a_surrogate_of_ones_own_goes_through_all_promises():
    check_surrogate(Slope(), {"x": (0.0, 1.0), "z": (0.0, 1.0)})


def test_a_surrogate_that_refuses_the_space_is_not_tested():
    with pytest.raises(SpecificationError, match="at most 3 hyperparameters, got 5"):
        check_surrogate(create("surrogate", "hsgp", {}), TREE)


def test_functions_that_cannot_be_drawn_are_refused_in_words():
    tested = SurrogateUnderTest(Level(), PLANE)
    with pytest.raises(SpecificationError, match=r"'level': expected a deterministic 'f'.*override prior_functions"):
        promises.prior_functions_are_predicted(tested)
