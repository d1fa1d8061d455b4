"""What every surrogate promises.

Each promise is a function of a surrogate on a space that raises an AssertionError saying what was expected and got;
`check_surrogate` goes through all of them. Unless they are about the fit, they are checked under draws of the prior:
wider than any posterior, and free of an engine's doing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayeshpo.inference.fitting import fit
from bayeshpo.inference.joint import JointPredictive
from bayeshpo.inference.predictive import ConditionedDraws
from bayeshpo.inference.sequential import Sequential
from bayeshpo.inference.stacked import StackedSurrogate
from bayeshpo.space import as_space
from bayeshpo.surrogates.base import NUGGET, Surrogate, TrainingData
from bayeshpo.surrogates.symbolic import UNCOMPILED
from bayeshpo.testing.agreement import agree, agreeing_slopes, others
from bayeshpo.testing.differences import central_differences
from bayeshpo.testing.under_test import DRAWS, SIZES, SurrogateUnderTest

Promise = Callable[[SurrogateUnderTest], None]

# Relative error that rounding may leave in a prediction through an ill-conditioned covariance.
_PREDICTION = 1e-4


def check_surrogate(surrogate: Surrogate | StackedSurrogate, space: Any) -> None:
    """Put a surrogate through all of `SURROGATE_PROMISES` on a space.

    Of a mixture each member, and then the mixture through all of `MIXTURE_PROMISES`.

    Parameters
    ----------
    surrogate
        Registered, or of one's own.
    space
        Whatever `as_space` takes.

    Raises
    ------
    SpecificationError
        If the surrogate refuses the space.
    AssertionError
        If a promise is broken: which one, what was expected and what was got.
    """
    tested = SurrogateUnderTest(surrogate, as_space(space))
    surrogate.check(tested.columns)
    mixture = isinstance(surrogate, StackedSurrogate)
    for member in surrogate.members if mixture else ():
        check_surrogate(member, space)
    for promise in MIXTURE_PROMISES if mixture else SURROGATE_PROMISES:
        promise(tested)


def model_of_any_number_of_trials(tested: SurrogateUnderTest) -> None:
    """The PyMC model has the same hyperparameters, of one kind and shape, for 0, 1, 5 and 60 trials."""
    layouts = []
    for n in SIZES:
        data = tested.data(n)
        model = tested.surrogate.model(tested.columns, data.X, data.y)
        missing = sorted({"X", "y"} - {v.name for v in model.data_vars})
        if missing:
            raise tested.error("model", "pm.Data named X and y", f"none named {' and '.join(missing)}", f"n = {n}")
        layouts.append({name: np.shape(value) for name, value in model.initial_point().items()})
        if layouts[-1] != layouts[0]:
            raise tested.error("model", f"hyperparameters {layouts[0]}", layouts[-1], f"n = {n}")


def finite_density(tested: SurrogateUnderTest) -> None:
    """The log density is finite at draws of the prior, with odd trials too."""
    for where, data in ({f"n = {n}": tested.data(n) for n in SIZES} | _odd(tested)).items():
        _check_density(tested, data, where)


def right_gradient(tested: SurrogateUnderTest) -> None:
    """The gradient of the log density agrees with central differences, and comes with the same value."""
    for n in SIZES:
        data = tested.data(n)
        target = tested.density.value_and_gradient(data)
        values, slopes = (np.array(part) for part in zip(*map(target, tested.draws), strict=True))
        agree(tested, "value beside the gradient", values, tested.density.batch(tested.draws, data), f"n = {n}")
        differences = central_differences(lambda Q, data=data: tested.density.batch(Q, data), tested.draws)
        agreeing_slopes(tested, "gradient of the log density", slopes, *differences, f"n = {n}")


def prior_where_nothing_has_finished(tested: SurrogateUnderTest) -> None:
    """Without trials, or with failed ones only, the log density is that of the prior."""
    model: Any = tested.density.pymc_model
    compiled = model.compile_fn(model.logp(vars=model.free_RVs), mode=UNCOMPILED, on_unused_input="ignore")
    blocks = tested.density.blocks
    prior = [compiled({b.value_name: q[b.start : b.stop].reshape(b.shape) for b in blocks}) for q in tested.draws]
    nothing = {"no trials": tested.data(0), "all trials failed": tested.data(5, lambda y: [None] * len(y))}
    for where, data in nothing.items():
        found = tested.density.batch(tested.draws, data)
        agree(tested, "log density, which should be the prior's", found, np.array(prior), where)


def order_of_trials_does_not_matter(tested: SurrogateUnderTest) -> None:
    """The log density is the same whatever the order of the trials."""
    for n in (5, 60):
        order = np.random.default_rng(n).permutation(n)
        told, shuffled = (tested.density.batch(tested.draws, tested.data(n, order=o)) for o in (None, order))
        agree(tested, "log density of shuffled trials", shuffled, told, f"n = {n}")


def unit_of_the_loss_does_not_matter(tested: SurrogateUnderTest) -> None:
    """The log density is the same whether losses are of the order of 1, of 1e12 or of 1e-12."""
    told = tested.density.batch(tested.draws, tested.data(20))
    for unit in (1e12, 1e-12):
        data = tested.data(20, lambda y, unit=unit: list(unit * y))
        agree(tested, "log density", tested.density.batch(tested.draws, data), told, f"losses times {unit:g}")


def predictions(tested: SurrogateUnderTest) -> None:
    """Means are finite and variances positive, of shape (draws, candidates), and do not depend on who else is asked."""
    for n in SIZES:
        draws = tested.conditioned(tested.data(n))
        mean, variance = _check_predictions(tested, draws, f"n = {n}")
        alone = [tested.predictive(draws, z[None]) for z in tested.candidates]
        for what, found, one in (("mean", mean, 0), ("variance", variance, 1)):
            separate = np.concatenate([a[one] for a in alone], axis=1)
            agree(tested, f"predicted {what} of a candidate by itself", separate, found, f"n = {n}", _PREDICTION)


def prior_functions_are_predicted(tested: SurrogateUnderTest) -> None:
    """Draws of f from the prior scatter about what is predicted under their hyperparameters as its variance says."""
    draws, Z = 400, tested.candidates
    values, f = tested.surrogate.prior_functions(tested.columns, Z, draws, np.random.default_rng(5))
    if f.shape != (draws, len(Z)):
        raise tested.error("prior functions", f"shape {(draws, len(Z))} (draws, candidates)", f.shape, "no trials")
    Q = tested.density.unconstrain(values)
    mean, variance = tested.predictive(tested.predictive.condition(Q, tested.density.no_data), Z)
    score = (f - mean) / np.sqrt(variance + NUGGET)
    # A function that its hyperparameters determine is met exactly: the scatter has no lower limit.
    _check_limit(tested, "mean", np.abs(score.mean(axis=0)), 5.0 / np.sqrt(draws))
    _check_limit(tested, "mean square", np.square(score).mean(axis=0), 1.0 + 5.0 * np.sqrt(2.0 / draws))


def right_pullback(tested: SurrogateUnderTest) -> None:
    """Derivatives of predictions agree with central differences along active, continuous hyperparameters."""
    Z, rng = tested.candidates, np.random.default_rng(3)
    moving = tested.space.active(Z) & tested.space.continuous
    for n in SIZES:
        draws = tested.conditioned(tested.data(n))
        weights = rng.standard_normal((2, DRAWS))

        def weighed(rows: np.ndarray, draws: ConditionedDraws = draws, weights: np.ndarray = weights) -> np.ndarray:
            mean, variance = tested.predictive(draws, rows)
            return weights[0] @ mean + weights[1] @ variance

        by_mean, by_variance = np.repeat(weights[..., None], len(Z), axis=2)
        found = tested.predictive.pullback(draws, Z, by_mean, by_variance)
        slope, error = central_differences(weighed, Z)
        parts = [np.where(moving, a, 0.0) for a in (found, slope, error)]
        agreeing_slopes(tested, "derivative of predictions by candidates", parts[0], parts[1], parts[2], f"n = {n}")


def outcomes_have_a_distribution(tested: SurrogateUnderTest) -> None:
    """The density of a further trial's outcome is the slope of its distribution function, which is between 0 and 1."""
    Z = tested.candidates
    for n in (0, 5):
        for member, draws in tested.predictive.members(tested.conditioned(tested.data(n))):
            if not member.says_outcome:
                continue
            y = member(draws, Z)[0].mean(axis=0)

            def below(rows: np.ndarray, member: Any = member, draws: Any = draws) -> np.ndarray:
                points = np.tile(Z, (len(rows) // len(Z), 1))
                return member.outcome(draws, points, rows[:, 0])[1].sum(axis=0)

            log_density, share = member.outcome(draws, Z, y)
            if not ((share >= 0.0) & (share <= 1.0)).all():
                raise tested.error("distribution function", "values between 0 and 1", share, f"n = {n}")
            slope, error = central_differences(below, y[:, None])
            found = np.exp(log_density).sum(axis=0)[:, None]
            agreeing_slopes(tested, "density of an outcome", found, slope, error, f"n = {n}")


def fitted_is_predicted(tested: SurrogateUnderTest) -> None:
    """The latent mean `fitted` at the trials is what `predict` says there."""
    for n in SIZES[1:]:
        data = tested.data(n)
        draws = tested.conditioned(data)
        predicted, _ = tested.predictive(draws, data.X)
        what = "fitted mean, which should be predict's at the trials"
        agree(tested, what, draws.fitted, predicted, f"n = {n}", _PREDICTION)


def believed_points_are_known(tested: SurrogateUnderTest) -> None:
    """The draws can be conditioned on pending points too; on none, that changes nothing."""
    data, Z, where = tested.data(5), tested.candidates, "5 trials and 6 believed points"
    y, expected = np.linspace(-1.0, 1.0, len(Z)), (DRAWS, len(data.y) + len(Z))
    more = tested.conditioned(tested.surrogate.believing(tested.columns, data, Z, y))
    _check_predictions(tested, more, where)
    if more.fitted.shape != expected:
        raise tested.error("fitted", f"shape {expected} (draws, all points)", more.fitted.shape, where)
    none = tested.conditioned(tested.surrogate.believing(tested.columns, data, Z[:0], y[:0]))
    found, told = (tested.predictive(draws, Z) for draws in (none, tested.conditioned(data)))
    for what, by_none, alone in zip(("mean", "variance"), found, told, strict=True):
        agree(tested, f"predicted {what}", by_none, alone, "5 trials and no believed points", _PREDICTION)


def covariances_are_of_one_function(tested: SurrogateUnderTest) -> None:
    """Between candidates they are symmetric and positive semidefinite, with the predicted variances for a diagonal."""
    Z = tested.candidates
    for n in SIZES:
        draws = tested.conditioned(tested.data(n))
        anchors = np.tile(Z, (len(draws.fitted), 1, 1))
        anchored = JointPredictive(tested.predictive, noise=False).anchored(draws, anchors)
        (mean, variance), K, where = tested.predictive(draws, Z), anchored.covariance, f"n = {n}"
        agree(tested, "mean at anchors", anchored.mean, mean, where, _PREDICTION)
        scale = np.maximum(1.0, variance.max(axis=1))
        found = np.diagonal(K, axis1=1, axis2=2) / scale[:, None]
        agree(tested, "variance at anchors", found, variance / scale[:, None], where, _PREDICTION)
        agree(tested, "covariance between anchors, which should be symmetric", K, K.swapaxes(1, 2), where, _PREDICTION)
        lowest = np.linalg.eigvalsh((K + K.swapaxes(1, 2)) / 2.0)[:, 0] / scale
        if not (lowest > -_PREDICTION).all():
            raise tested.error("covariance between anchors", "no eigenvalue below 0", f"{lowest.min():.3g}", where)


def odd_trials_are_survived(tested: SurrogateUnderTest) -> None:
    """Predictions stay finite with duplicates, constant losses, a failed trial, one huge loss."""
    for where, data in _odd(tested).items():
        _check_predictions(tested, tested.conditioned(data), where)


def fits(tested: SurrogateUnderTest) -> None:
    """The default engine fits 5 trials and carries the posterior on to 20, with finite draws and an honest report."""
    posterior, rng = None, np.random.default_rng(4)
    for n in (5, 20):
        data = tested.data(n)
        posterior = fit(Sequential(), tested.density, data, rng=rng, previous=posterior)
        report, finished = posterior.report, len(data.y)
        if report.status == "failed" or report.n != finished:
            got = f"{report.status} after {report.n} trials: {report.reason}"
            raise tested.error("fit", f"status ok or not_converged after {finished} finished trials", got, f"n = {n}")
        if (report.reason is None) != (report.status == "ok"):
            raise tested.error("fit", "a reason where the status is not ok", report.reason, f"n = {n}")
        if not (finite := np.isfinite(posterior.thinned(posterior.size))).all():
            raise tested.error("fit", "finite draws", others(~finite), f"n = {n}")
        draws = tested.predictive.condition(posterior.thinned(DRAWS), posterior.data)
        _check_predictions(tested, draws, f"posterior of {n} trials")


# In this order: the later ones make sense where the earlier ones hold.
SURROGATE_PROMISES: tuple[Promise, ...] = (
    model_of_any_number_of_trials,
    finite_density,
    prior_where_nothing_has_finished,
    right_gradient,
    order_of_trials_does_not_matter,
    unit_of_the_loss_does_not_matter,
    predictions,
    prior_functions_are_predicted,
    right_pullback,
    outcomes_have_a_distribution,
    fitted_is_predicted,
    believed_points_are_known,
    covariances_are_of_one_function,
    odd_trials_are_survived,
    fits,
)
# A mixture has no density of its own: the others are its members' to keep.
MIXTURE_PROMISES: tuple[Promise, ...] = (
    predictions,
    right_pullback,
    outcomes_have_a_distribution,
    fitted_is_predicted,
    believed_points_are_known,
    covariances_are_of_one_function,
    odd_trials_are_survived,
    fits,
)


def _odd(tested: SurrogateUnderTest) -> dict[str, TrainingData]:
    return {
        "every trial twice": tested.data(8, copies=2),
        "constant losses": tested.data(8, lambda y: [0.7] * len(y)),
        "a failed trial": tested.data(8, lambda y: [None, *y[1:]]),
        "a loss of 1e12 among others": tested.data(8, lambda y: [1e12, *y[1:]]),
    }


def _check_density(tested: SurrogateUnderTest, data: TrainingData, where: str) -> None:
    density = tested.density.batch(tested.draws, data)
    if not np.isfinite(density).all():
        expected = "finite values at draws of the prior"
        raise tested.error("log density", expected, others(~np.isfinite(density)), where)


def _check_predictions(
    tested: SurrogateUnderTest, draws: ConditionedDraws, where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (S, m) at the candidates, if they are what they should be."""
    mean, variance = tested.predictive(draws, tested.candidates)
    expected = (len(draws.fitted), len(tested.candidates))
    for what, values, right in (("mean", mean, np.isfinite(mean)), ("variance", variance, _positive(variance))):
        if values.shape != expected:
            raise tested.error(f"predicted {what}", f"shape {expected} (draws, candidates)", values.shape, where)
        if not right.all():
            kind = "finite values" if what == "mean" else "positive, finite values"
            raise tested.error(f"predicted {what}", kind, others(~right), where)
    return mean, variance


def _check_limit(tested: SurrogateUnderTest, what: str, found: np.ndarray, limit: float) -> None:
    if not found.max() <= limit:
        expected = f"{what} of (f - predicted mean) / predicted sd at most {limit:.3g}"
        raise tested.error("prior functions", expected, f"{found.max():.3g}", "no trials")


def _positive(values: np.ndarray) -> np.ndarray:
    return np.isfinite(values) & (values > 0.0)
