"""Do bad diagnostics predict bad decisions? A regression of the next trial's regret on what its fit said of itself.

Log10 of the regret of the trial that a fit proposed, less that of the incumbent before it, is

    y[i] ~ StudentT(4, level[p] + slope[p] . x[i], noise[p]),    slope[p, k] ~ Normal(effect[k], spread[k]),

for fits i on problems p; x are diagnostics, standardised within problems and signed so that more is worse, and the log
of the number of trials. It is of the proposed trial itself, and not of the incumbent after it: that is unchanged by
most trials, and no continuous likelihood has so many values that are exactly 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from bayeshpo.analysis.comparison.fitting import Fit, fitted
from bayeshpo.analysis.comparison.result import interval_text
from bayeshpo.analysis.fits import Fits, Row
from bayeshpo.analysis.losses import aims_of, incumbent_losses, sign, true_losses
from bayeshpo.analysis.regret import distance, simple_regret
from bayeshpo.errors import SpecificationError
from bayeshpo.surrogates.symbolic import pm

_NU = 4
# Share of the fits that must have a diagnostic for it to be a predictor.
_ON_RECORD = 0.8
# Fits from which on a regression is worth its while.
_LEAST = 50
# Regret, as a share of the problem's largest on record, below which regrets are not told apart.
_FLOOR = 1e-3
# Probability of its sign from which on an effect may be claimed.
_CLAIM = 0.975
TRIALS = "number of trials"


def _logarithm(column: str, offset: float = 0.0, factor: float = 1.0) -> Callable[[Row], float]:
    def of(row: Row) -> float:
        value = row.get(column)
        return np.nan if value is None else factor * float(np.log10(max(value - offset, 1e-6)))

    return of


def _number(column: str, factor: float = 1.0) -> Callable[[Row], float]:
    def of(row: Row) -> float:
        value = row.get(column)
        return np.nan if value is None else factor * float(value)

    return of


def _surprise(row: Row) -> float:
    """How many standard deviations the trial before was from its prediction."""
    place = row.get("ahead_pit")
    return np.nan if place is None else abs(float(norm.ppf(np.clip(place, 1e-4, 1.0 - 1e-4))))


# More is worse, of each: log10 of R-hat above 1, ESS, the acquisition's Monte Carlo error and the condition number.
PREDICTORS: dict[str, Callable[[Row], float]] = {
    "R-hat above 1": _logarithm("rhat_max", 1.0),
    "lack of bulk ESS": _logarithm("ess_bulk_min", factor=-1.0),
    "divergences": _number("divergences"),
    "lack of E-BFMI": _number("bfmi_min", -1.0),
    "k-hat": _number("khat"),
    "surprise just before": _surprise,
    "acquisition error": _logarithm("acquisition_mcse"),
    "condition number": _logarithm("condition_max"),
    "point estimate apart": _number("point_distance"),
}


@dataclass(frozen=True, eq=False)
class NextTrials:
    """Fits (n,) with what became of their proposals.

    Attributes
    ----------
    problem
        Index of the problem (n,).
    x
        Predictors (n, K), standardised within problems.
    y
        Log10 of the proposed trial's regret over the incumbent's (n,).
    predictors, problems
        Their names.
    """

    problem: np.ndarray
    x: np.ndarray
    y: np.ndarray
    predictors: tuple[str, ...]
    problems: tuple[str, ...]

    @classmethod
    def of(cls, fits: Sequence[Fits]) -> NextTrials:
        """Those of runs of one objective, without failed trials and fits that lack a predictor.

        Raises
        ------
        SpecificationError
            If there are fewer than 50.
        """
        single = [(run, rows) for run, rows in fits if not aims_of(run).objectives]
        outcomes = _outcomes(single)
        kept = [(run, row, y) for run, row in _flat(single) if np.isfinite(y := outcomes(run, row))]
        values = np.array([[of(row) for of in PREDICTORS.values()] for _, row, _ in kept]).reshape(-1, len(PREDICTORS))
        known = np.isfinite(values)
        at = [k for k in range(len(PREDICTORS)) if len(kept) and known[:, k].mean() >= _ON_RECORD]
        there = known[:, at].all(axis=1)
        if not at or there.sum() < _LEAST:
            raise SpecificationError(
                f"expected at least {_LEAST} fits with diagnostics and a next trial, got "
                f"{int(there.sum()) if at else 0}; go on with 'bayeshpo run', or leave out --regression"
            )
        kept = [entry for entry, whole in zip(kept, there, strict=True) if whole]
        problems = tuple(dict.fromkeys(run.problem for run, _, _ in kept))
        problem = np.array([problems.index(run.problem) for run, _, _ in kept])
        x = np.column_stack([np.log10([row["n"] for _, row, _ in kept]), values[there][:, at]])
        x = _standardised(x, problem)
        varies = x.std(axis=0) > 0
        names = (TRIALS, *(list(PREDICTORS)[k] for k in at))
        names = tuple(name for name, shown in zip(names, varies, strict=True) if shown)
        return cls(problem, x[:, varies], np.array([y for _, _, y in kept]), names, problems)


def build(data: NextTrials) -> Any:
    """The model of all fits."""
    count, size = len(data.problems), len(data.predictors)
    with pm.Model() as model:
        level = pm.Normal("level", 0.5, 1.0, shape=count)
        effect = pm.Normal("effect", 0.0, 0.3, shape=size)
        spread = pm.HalfNormal("spread", 0.1, shape=size)
        slope = effect + spread * pm.Normal("z_slope", shape=(count, size))
        noise = pm.HalfNormal("noise", 1.0, shape=count)
        mean = level[data.problem] + (slope[data.problem] * data.x).sum(axis=1)
        pm.StudentT("outcome", nu=_NU, mu=mean, sigma=noise[data.problem], observed=data.y)
    return model


def regress(fits: Sequence[Fits], seed: int = 0) -> dict[str, Any]:
    """Fit the model and say whether any diagnostic predicts the next trial's regret; a record of JSON values.

    Effects are of one standard deviation within a problem, on log10 regret; "worse" is the probability that more of the
    predictor goes with more regret.
    """
    data = NextTrials.of(fits)
    fit = fitted(build(data), len(data.y), np.random.default_rng(seed))
    effect = fit.pooled("effect")
    low, median, high = np.quantile(effect, (0.05, 0.5, 0.95), axis=0)
    return {
        "predictors": list(data.predictors),
        "low": low.tolist(), "median": median.tolist(), "high": high.tolist(),
        "worse": (effect > 0).mean(axis=0).tolist(),
        "fits": len(data.y), "problems": list(data.problems),
        "claim": _claim(data, fit), "report": fit.report.to_row(),
    }  # fmt: skip


def _claim(data: NextTrials, fit: Fit) -> str:
    if fit.report.status != "ok":
        return f"No claim: the regression did not pass its own checks, {fit.report.reason}."
    effect = fit.pooled("effect")
    diagnostics = [k for k, name in enumerate(data.predictors) if name != TRIALS]
    worse = (effect > 0).mean(axis=0)
    if not diagnostics:
        return "No diagnostic varies."
    bad = [k for k in diagnostics if worse[k] >= _CLAIM]
    times = {k: interval_text(10.0 ** effect[:, k]) for k in diagnostics}
    if bad:
        found = "; ".join(f"{data.predictors[k]}, {times[k]} times the regret of the next trial" for k in bad)
        return f"Bad diagnostics go with bad decisions. For one standard deviation more of: {found}."
    most = max(diagnostics, key=lambda k: worse[k])
    return (
        f"No sign that bad diagnostics lead to bad decisions: of {len(diagnostics)} none goes surely with more regret "
        f"of the next trial; nearest to it is {data.predictors[most]}, with {times[most]} times the regret for one "
        "standard deviation more."
    )


def _flat(fits: Sequence[Fits]) -> list[tuple[Any, dict[str, Any]]]:
    return [(run, row) for run, rows in fits for row in rows if row["status"] != "failed"]


def _outcomes(fits: Sequence[Fits]) -> Callable[[Any, Row], float]:
    """Of a run and a row: log10 of the proposed trial's regret over that of the incumbent before it; NaN if none."""
    runs = [run for run, _ in fits]
    incumbents = incumbent_losses(runs)
    references = {found.problem: found.reference for found in simple_regret(runs)}
    regrets: dict[Any, tuple[np.ndarray, np.ndarray]] = {}
    # Of each trial, its place in the order of telling, and how many had been told when it was proposed.
    places: dict[Any, dict[int, tuple[int, int]]] = {}
    largest: dict[str, float] = {}
    for run in runs:
        reference = references[run.problem]
        if reference is not None:
            at = sign(run) * reference
            trials = run.trials
            places[run.path] = {t["index"]: (i, t.get("told", t["index"])) for i, t in enumerate(trials)}
            regrets[run.path] = distance(true_losses(run, trials), at), distance(incumbents[run.path], at)
            most = float(np.nanmax(np.append(regrets[run.path][1], 0.0)))
            largest[run.problem] = max(largest.get(run.problem, 0.0), most)

    def outcome(run: Any, row: Row) -> float:
        own, incumbent = regrets.get(run.path, (np.zeros(0), np.zeros(0)))
        t, told = places.get(run.path, {}).get(row["trial"], (0, 0))
        floor = _FLOOR * largest.get(run.problem, 0.0)
        if told == 0 or floor == 0.0 or np.isnan(own[t]) or np.isnan(incumbent[told - 1]):
            return np.nan
        return float(np.log10(max(own[t], floor) / max(incumbent[told - 1], floor)))

    return outcome


def _standardised(x: np.ndarray, problem: np.ndarray) -> np.ndarray:
    """Each column (n, K) less its mean and by its standard deviation, within problems; 0 where it does not vary."""
    out = np.zeros_like(x)
    for p in np.unique(problem):
        own = x[problem == p]
        sd = own.std(axis=0)
        out[problem == p] = (own - own.mean(axis=0)) / np.where(sd > 1e-12, sd, np.inf)
    return out
