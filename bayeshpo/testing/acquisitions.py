"""What every acquisition promises, with every surrogate that it does not refuse.

Each promise is a function of an acquisition in a situation that raises an AssertionError saying what was expected and
got; `check_acquisition` goes through all of them in all situations. Draws are of the surrogate's prior: wider than any
posterior, and free of an engine's doing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bayeshpo.acquisitions.base import Acquisition
from bayeshpo.errors import SpecificationError
from bayeshpo.maximizers import Maximizer
from bayeshpo.searchers.objectives import AcquisitionOverDraws
from bayeshpo.space import SearchSpace, as_space
from bayeshpo.surrogates.columns import Columns
from bayeshpo.testing.acquisition_under_test import DRAWS, SEED, TRIALS, AcquisitionUnderTest
from bayeshpo.testing.agreement import agree, agreeing_slopes, others
from bayeshpo.testing.differences import central_differences

Promise = Callable[[AcquisitionUnderTest], None]

# Relative error that rounding may leave where the same sums are made in another order, and where another covariance is
# factorised.
_SUMS, _COVARIANCES = 1e-7, 1e-4
# So few candidates that all of them are scored twice.
_MAXIMIZER = Maximizer(candidates=64, starts=2)


def check_acquisition(acquisition: Acquisition, surrogate: Any, space: Any) -> None:
    """Put an acquisition through all of `ACQUISITION_PROMISES` with a surrogate, in all situations.

    These are weighted draws and equal ones, with and without pending trials, with and without failed ones.

    Parameters
    ----------
    acquisition
        Registered, or of one's own.
    surrogate
        A `Surrogate`, or a mixture of some.
    space
        Whatever `as_space` takes.

    Raises
    ------
    SpecificationError
        If the surrogate refuses the space, or the acquisition the surrogate.
    AssertionError
        If a promise is broken: which one, what was expected and what was got; or if a refusal does not name both.
    """
    space = as_space(space)
    surrogate.check(Columns.of(space))
    for tested in situations(acquisition, surrogate, space):
        for promise in ACQUISITION_PROMISES:
            promise(tested)


def situations(acquisition: Acquisition, surrogate: Any, space: SearchSpace) -> Iterator[AcquisitionUnderTest]:
    """All that an acquisition may be in."""
    for weighted, pending, failed in itertools.product((False, True), repeat=3):
        yield AcquisitionUnderTest(acquisition, surrogate, space, weighted, pending, failed)


def refusals_name_both(tested: AcquisitionUnderTest) -> None:
    """Where it refuses a surrogate, it says so before anything is compiled, and names both."""
    try:
        _ = tested.compiled
    except SpecificationError as error:
        surrogates = [tested.surrogate, *getattr(tested.surrogate, "members", ())]
        named = f"'{tested.acquisition.name}'" in str(error) and any(f"'{s.name}'" in str(error) for s in surrogates)
        if not named:
            expected = "the names of the acquisition and of the surrogate"
            raise tested.error("refusal", expected, str(error), tested.situation) from None
        raise


def values(tested: AcquisitionUnderTest) -> None:
    """A number for each candidate, for trials and pending ones too, whoever else is asked.

    Minus infinity is one where it is a logarithm.
    """
    told = tested.state.evidence
    Z = np.concatenate([tested.candidates, told.data.X, told.data.failed, tested.pending_points])
    found = tested.compiled.value(tested.state, Z)
    if found.shape != (len(Z),):
        raise tested.error("values", f"shape {(len(Z),)} (candidates)", found.shape, tested.situation)
    right = np.isfinite(found) | (tested.compiled.acquisition.logarithmic & np.isneginf(found))
    if not right.all():
        raise tested.error("values", "numbers", others(~right), tested.situation)
    alone = np.concatenate([tested.compiled.value(tested.state, z[None]) for z in Z])
    agree(tested, "value of a candidate by itself", alone, found, tested.situation, _COVARIANCES)


def right_gradient(tested: AcquisitionUnderTest) -> None:
    """Beside the same value, and as central differences say along active, continuous hyperparameters."""
    Z, state = tested.candidates, tested.state
    value, gradient = tested.compiled.value_and_gradient(state, Z)
    agree(tested, "value beside the gradient", value, tested.compiled.value(state, Z), tested.situation, _SUMS)
    moving = tested.space.active(Z) & tested.space.continuous & np.isfinite(value)[:, None]
    differences = central_differences(lambda rows: tested.compiled.value(state, rows), Z)
    found, slope, error = (np.where(moving, part, 0.0) for part in (gradient, *differences))
    agreeing_slopes(tested, "gradient", found, slope, error, tested.situation)


def same_seed_same_value(tested: AcquisitionUnderTest) -> None:
    """What is drawn of functions is the seed's, to the last digit."""
    posterior, Z = tested.posterior(), tested.candidates
    again = tested.compiled.state(posterior.thinned(DRAWS), tested.evidence(posterior))
    found, told = (tested.compiled.value(state, Z) for state in (again, tested.state))
    agree(tested, "value for the same seed", found, told, tested.situation, 0.0)


def order_of_trials_does_not_matter(tested: AcquisitionUnderTest) -> None:
    """It is the same for shuffled trials, failed and pending ones among them."""
    order = np.random.default_rng(0).permutation(TRIALS)
    _same(tested, "value for shuffled trials", order=order)


def unit_and_origin_of_the_loss_do_not_matter(tested: AcquisitionUnderTest) -> None:
    """It is the same for losses in another unit, from another origin on."""
    for unit, origin in ((1e6, 0.0), (1e-6, 0.0), (1.0, -30.0)):
        _same(tested, f"value for losses times {unit:g} plus {origin:g}", unit=unit, origin=origin)


def draws_count_by_their_weight(tested: AcquisitionUnderTest) -> None:
    """A draw of some weight is so many equal draws, and one without any is none."""
    Z, state = tested.candidates, tested.state
    copies = np.arange(len(state.draws.fitted)) % 3
    (found,) = tested.compiled.under(state, Z, copies[None] / copies.sum())
    as_copies = tested.compiled.value(tested.repeated(state, copies), Z)
    agree(tested, "value under weights of 0, 1 and 2", found, as_copies, tested.situation, _COVARIANCES)


def failures_are_worth_nothing(tested: AcquisitionUnderTest) -> None:
    """A candidate that may fail is worth no more than if it could not."""
    Z, where = tested.candidates, tested.situation
    value, sure = (
        tested.compiled.value(state, Z) for state in (tested.state, tested.surely_finishing(tested.state))
    )  # fmt: skip
    if not (value <= sure).all():
        i = int(np.argmax(value - sure))
        raise tested.error("value where a trial may fail", f"at most {sure[i]:.8g}", f"{value[i]:.8g}", where)
    if tested.failed and not (value < sure).any():
        raise tested.error("value where a trial may fail", "less than where none can", "the same", where)


def monte_carlo_error(tested: AcquisitionUnderTest) -> None:
    """Finite and not negative, beside the value that the same draws give at once; there is one where draws differ."""
    posterior, Z, where = tested.posterior(), tested.candidates, tested.situation
    Q, evidence = np.unique(posterior.thinned(DRAWS), axis=0), tested.state.evidence
    value, error, fitted = tested.compiled.over_all_draws(Q, evidence, Z)
    at_once = tested.compiled.value(tested.compiled.state(Q, evidence), Z)
    agree(tested, "value of the last choice", value, at_once, where, _SUMS)
    right = (np.isfinite(error) & (error >= 0.0)) | ~np.isfinite(value)
    if not right.all():
        raise tested.error("Monte Carlo error", "finite values >= 0", others(~right), where)
    if not error.max() > 0.0:
        raise tested.error("Monte Carlo error", "more than 0, as draws differ", error.max(), where)
    if not np.isfinite(fitted).all():
        raise tested.error("means at the trials", "finite values", others(~np.isfinite(fitted)), where)


def maximum_is_above_the_best_start(tested: AcquisitionUnderTest) -> None:
    """What the inner search ends with is legal, untried, and on all draws no worse than its best candidate was."""
    posterior, where = tested.posterior(), tested.situation
    objective = AcquisitionOverDraws(tested.compiled, posterior, tested.state.evidence)
    data, space = tested.state.evidence.data, tested.space
    taken = np.concatenate([data.X, data.failed, tested.pending_points])
    best = data.X[np.argsort(data.y)[:2]]
    found = _MAXIMIZER(objective, space, taken, best, np.random.default_rng(SEED))
    if not space.legal(found.x[None])[0] or (np.abs(taken - found.x).max(axis=1) < 1e-9).any():
        raise tested.error("maximum", "a legal point that is not taken", found.x, where)
    pool = _MAXIMIZER.pool(space, best, np.random.default_rng(SEED))
    pool = pool[space.legal(pool) & (np.abs(pool[:, None] - taken).max(axis=2) >= 1e-9).all(axis=1)]
    scores = objective.value(pool)
    start = pool[[np.argmax(np.where(np.isfinite(scores), scores, -np.inf))]]
    least = objective.careful(start)[0][0]
    if not found.flat and not found.value >= least - _SUMS * max(1.0, abs(least)):
        raise tested.error("maximum", f"at least {least:.8g}, the best candidate's", f"{found.value:.8g}", where)


# In this order: the later ones make sense where the earlier ones hold.
ACQUISITION_PROMISES: tuple[Promise, ...] = (
    refusals_name_both,
    values,
    right_gradient,
    same_seed_same_value,
    order_of_trials_does_not_matter,
    unit_and_origin_of_the_loss_do_not_matter,
    draws_count_by_their_weight,
    failures_are_worth_nothing,
    monte_carlo_error,
    maximum_is_above_the_best_start,
)


def _same(tested: AcquisitionUnderTest, what: str, **changes: Any) -> None:
    """The value is that of the trials as they are told, told otherwise."""
    posterior, Z = tested.posterior(**changes), tested.candidates
    state = tested.compiled.state(posterior.thinned(DRAWS), tested.evidence(posterior))
    found, told = (tested.compiled.value(s, Z) for s in (state, tested.state))
    agree(tested, what, found, told, tested.situation, _COVARIANCES)
