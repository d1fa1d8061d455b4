"""What a row of inference may hold, with the name and meaning of each number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bayeshpo.analysis.checks import beside
from bayeshpo.analysis.report.blocks import Column

# By entry of a row; older records lack some, and no engine has all.
MEASURES = {
    "rhat_max": Column("R-hat", "largest over hyperparameters; below 1.01 where chains agree"),
    "rhat_nested_max": Column("nested R-hat", "largest over hyperparameters, chains or islands as superchains"),
    "ess_bulk_min": Column("bulk ESS", "smallest effective sample size over hyperparameters"),
    "ess_tail_min": Column("tail ESS", "smallest effective sample size of the 5 % and 95 % quantiles"),
    "mcse_max": Column("MCSE", "largest error of a posterior mean, in posterior standard deviations"),
    "ess_per_second": Column("ESS/s", "bulk ESS by the seconds of sampling"),
    "ess_importance": Column("weighted ESS", "effective number of a reweighted posterior's draws"),
    "khat": Column(
        "k-hat", "Pareto shape of importance weights; above 0.7, or less with few draws, they cannot be trusted"
    ),
    "divergences": Column("divergences", "transitions of a gradient sampler that diverged"),
    "bfmi_min": Column("E-BFMI", "smallest energy fraction of missing information; below 0.3 tails are not explored"),
    "tree_depth_hits": Column("tree depth", "transitions that ended at the largest tree depth"),
    "step_size": Column("step size", "of a gradient sampler, mean over chains"),
    "condition_max": Column("condition", "largest condition number of the draws' covariances"),
    "jitter_max": Column("jitter", "largest amount added to a covariance's diagonal"),
    "evidence_increment": Column(
        "evidence", "log predictive density of the newest trials before they entered; of all where fits begin anew"
    ),
    "ahead_log_score": Column("log score", "log density of the next trial, predicted before it entered"),
    "ahead_pit": Column("PIT", "share of the predictive distribution below the next trial's loss"),
    "loo_elpd": Column("LOO", "expected log predictive density, leaving one trial out"),
    "loo_se": Column("LOO s.e.", "its standard error"),
    "loo_khat_max": Column("LOO k-hat", "largest Pareto shape over trials"),
    "loo_bad_share": Column("bad k-hat", "share of trials whose k-hat is above its limit"),
    "audit_z": Column("audit z", "largest difference from a fresh fit of NUTS, in joint Monte Carlo errors; limit 4.5"),
    "audit_sd_ratio": Column("audit sd ratio", "the ratio of standard deviations, audited over NUTS, farthest from 1"),
    "audit_quantile": Column("audit quantile", "largest difference of quantiles from NUTS, in standard deviations"),
    "acquisition": Column("acquisition", "at the proposal"),
    "acquisition_mcse": Column("its MCSE", "Monte Carlo standard error of the acquisition at the proposal"),
    "argmax_spread": Column("argmax spread", "of single draws' best points about the proposal, root mean square"),
    "hyperparameter_share": Column("hyperparameter share", "of the predictive variance at the proposal"),
    "point_distance": Column("point distance", "from the proposal to that of a point estimate"),
    "point_loss": Column("point loss", "acquisition lost, under all draws, by the point estimate's proposal"),
    "halves_distance": Column("halves' distance", "between the proposals of the two halves of the draws: noise"),
    "halves_loss": Column("halves' loss", "acquisition lost, under all draws, by the worse of these"),
    "decision_halves_shift": Column("halves' shift", "between the two halves of the draws, as the shifts that follow"),
    "decision_prior_shift": Column("prior shift", "how far the proposal moves when the prior is scaled"),
    "decision_likelihood_shift": Column("likelihood shift", "how far the proposal moves when the likelihood is scaled"),
    "optimum_entropy": Column("optimum entropy", "of the optimum's place, 0 for known and 1 for anywhere"),
    "regret_expected": Column("expected regret", "of the recommendation, in the problem's units"),
    "seconds_sample": Column("s sampling", "seconds, without compiling"),
    "seconds_maximise": Column("s maximising", "seconds of maximising the acquisition"),
    "seconds_compile": Column("s compiling", "seconds"),
    "seconds_diagnose": Column("s diagnosing", "seconds of what is computed for every fit"),
    "seconds_examine": Column("s examining", "seconds of what is computed at chosen trials"),
    "audit_seconds": Column("s auditing", "seconds of the fresh fit of NUTS and the comparison"),
}
_STATUS = "_status"
_STATUSES = {"audit_status": Column("audit", "comparison with a fresh fit of NUTS", numeric=False)}
# Of a fit of something else than the loss (`bayeshpo.acquisitions.beside.fit_row`).
_BESIDE = {
    "rhat_max": Column("R-hat of {}", "largest over hyperparameters of the fit of {}"),
    "ess_bulk_min": Column("bulk ESS of {}", "smallest effective sample size of the fit of {}"),
    "khat": Column("k-hat of {}", "Pareto shape of importance weights of the fit of {}"),
    "seconds": Column("s of {}", "seconds of the fit of {}"),
}
# Entries that are mappings of a number to each hyperparameter.
BY_HYPERPARAMETER = {
    "information": Column("information", "nats from prior to posterior, median over fits; 0: nothing was learned"),
    "prior_sensitivity": Column("prior psense", "power-scaling sensitivity to the prior, median over fits"),
    "likelihood_sensitivity": Column("likelihood psense", "power-scaling sensitivity to the likelihood, median"),
}


def known_measures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """The measures that some row has; of what is modelled beside the loss, as metrics, those of its own fits too."""
    others = dict.fromkeys(name for row in rows for name in beside(row))
    of_others = {
        f"{name}_{what}": Column(about.title.format(name), about.meaning.format(name))
        for name in others
        for what, about in _BESIDE.items()
    }
    every = MEASURES | of_others
    return {name: about for name, about in every.items() if any(row.get(name) is not None for row in rows)}


def statuses(rows: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """The columns beside "status" that say in a word how something ended, of audits and of other fits."""
    names = dict.fromkeys(name for row in rows for name in row if name.endswith(_STATUS))
    return {
        name: _STATUSES.get(name)
        or Column(name.replace("_", " "), f"how the fit of {name.removesuffix(_STATUS)} ended", numeric=False)
        for name in names
    }


def digits(name: str) -> int:
    """How many significant digits of a measure are worth showing."""
    return 4 if name.startswith("rhat") else 3
