"""Record the studies of `recorded_histories/` and the posteriors that they should have.

``python tests/make_recorded_histories.py`` makes what is missing; with names, those files are made anew. A study is run
with the default Bayesian searcher. Three methods find each posterior:

- "nuts": long chains, which may all sit in the same one of two modes;
- "population": 8 x 1000 draws tempered from the prior and swept 60 times, the engine under test but for its patience;
- "importance": independent draws, proposed from a mixture fitted to the draws of the other two, with the prior itself
  as a tenth of it, so that a part that both missed shows in their weights. As many as it takes.

The reference is the first of "nuts" and "importance" that is good enough by itself (R-hat below 1.005 or k-hat of 0.7
or less, and effective sizes above 4000 for every quantity) and that another method confirms: "checked" has the largest
difference from each other method in units of their joint Monte Carlo error, and one of them must be below the limit of
`replay.limit`. The importance draws also give the log evidence, in units of the loss.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from arviz_stats.base.array import array_stats
from replay import FOLDER, PROBABILITIES, Recording, Reference, expectations, latent, limit, weighted_means, z_scores
from scipy.special import logsumexp

import bayeshpo
from bayeshpo.inference.density import LogDensity
from bayeshpo.inference.importance import effective_draws, pareto_smoothed
from bayeshpo.inference.limits import KHAT_LIMIT
from bayeshpo.inference.mixture import StudentMixture
from bayeshpo.inference.nuts import NUTS
from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.report import InferenceReport
from bayeshpo.inference.sequential import Sequential
from bayeshpo.problem import FunctionProblem, evaluate
from bayeshpo.problems.logistic_breast_cancer import LogisticBreastCancer
from bayeshpo.problems.mlp_iris import MLPIris
from bayeshpo.problems.svc_digits import SVCDigits
from bayeshpo.problems.synthetic import Branin, Hartmann6
from bayeshpo.surrogates.columns import Columns

RHAT, ESS = 1.005, 4000.0
COMPONENTS = 16
# Importance draws, until they are enough.
DRAWS = (80_000, 240_000, 720_000)


@dataclass(frozen=True)
class Case:
    """A study to record: its objective, its seed, and where its posterior is wanted, last of all at the end."""

    about: str
    objective: Callable[[], Any]
    seed: int
    at: tuple[int, ...]
    batch: int = 1
    space: dict[str, Any] | None = None


def curve() -> Callable[[Any], float]:
    """A smooth function on the line."""
    return lambda c: np.sin(12.0 * c["x"]) * c["x"] + 0.3 * c["x"]


def rough() -> Callable[[Any], float]:
    """A valley with noise, a wild value every seventh trial, and a corner where trials fail."""
    rng = np.random.default_rng(5)
    calls = iter(range(10_000))

    def objective(c: Any) -> float:
        wild = next(calls) % 7 == 3
        if c["x"] + c["z"] > 1.6:
            raise MemoryError("too large")
        return (c["x"] - 0.6) ** 2 + 0.3 * np.cos(7.0 * c["z"]) + 0.02 * rng.standard_normal() + 2.0 * wild

    return objective


def kernels() -> Callable[[Any], float]:
    """A function of a number, four unordered choices and a flag."""
    best = {"rbf": 0.2, "linear": 0.7, "poly": 0.5, "sigmoid": 0.9}

    def objective(c: Any) -> float:
        return (c["x"] - best[c["kernel"]]) ** 2 + 0.1 * len(c["kernel"]) + (0.15 if c["flag"] else 0.0)

    return objective


PLANE = {"x": (0.0, 1.0), "z": (0.0, 1.0)}
CASES = {
    "branin_25": Case("Branin, 25 trials", Branin, 0, (10, 25)),
    "branin_60": Case("Branin, 60 trials told three at a time", Branin, 1, (30, 60), batch=3),
    "hartmann6_30": Case("Hartmann-6, 30 trials", Hartmann6, 0, (14, 30)),
    "hartmann6_60": Case("Hartmann-6, 60 trials", Hartmann6, 1, (60,)),
    "curve": Case("a function of one number, 15 trials", curve, 0, (5, 15), space={"x": (0.0, 1.0)}),
    "rough_valley": Case("noise, wild values and failures, 30 trials", rough, 0, (12, 30), space=PLANE),
    "kernels": Case(
        "a number, four unordered choices and a flag, 32 trials told four at a time", kernels, 0, (12, 32), batch=4,
        space={"x": (0.0, 1.0), "kernel": ["rbf", "linear", "poly", "sigmoid"], "flag": [True, False]},
    ),
    "svc_digits": Case("accuracy of a support vector machine, 30 trials", SVCDigits, 0, (12, 30)),
    "mlp_iris": Case("noisy cross-entropy of a small network, 30 trials", MLPIris, 0, (12, 30)),
    "logistic_breast_cancer": Case("validation loss, three penalties, 35 trials", LogisticBreastCancer, 0, (15, 35)),
}  # fmt: skip


def recorded(name: str, case: Case) -> dict[str, Any]:
    """The trials of a study, where it fitted, and five points: four at random and the incumbent."""
    problem = case.objective()
    space = case.space if case.space is not None else problem.space
    direction = getattr(problem, "direction", "minimize")
    study = bayeshpo.Study(space, direction=direction, seed=case.seed, name=name)
    problem = problem if case.space is None else FunctionProblem(problem, study.history.space, direction)
    while len(study.history) < max(case.at):
        for suggestion in study.ask(case.batch):
            rng = study.streams.generator("noise", suggestion.index)
            study.tell(suggestion, evaluate(problem, suggestion.configuration, rng=rng))
    history = study.history
    random = history.space.decode(np.random.default_rng(case.seed).random((4, history.space.dimension)))
    points = history.space.encode([*random, history.incumbent.configuration])
    losses = [None if np.isnan(loss) else float(loss) for loss in history.losses]
    return {
        "about": case.about,
        "columns": list(history.space.names),
        "choices": [[j, list(centres)] for j, centres in Columns.of(history.space).choices],
        "fits": sorted({t.suggestion.info["fitted_on"] for t in history.trials if "fitted_on" in t.suggestion.info}),
        "points": points.tolist(),
        "references": [],
        "trials": [[*x, loss] for x, loss in zip(history.X.tolist(), losses, strict=True)],
    }


def referenced(recording: Recording, n: int) -> dict[str, Any]:
    """The reference after n trials, as JSON values."""
    found = {"nuts": long_run(recording, n), "population": long_population(recording, n)}
    summaries = {"nuts": summarised(recording, n, found["nuts"])}
    known = np.concatenate([posterior.draws for posterior in found.values()])
    for draws in DRAWS:
        found["importance"] = importance_draws(recording, n, known, draws)
        summaries["importance"] = summarised(recording, n, found["importance"])
        if enough(found["importance"], summaries["importance"]):
            break
    weighed, by_nuts, by_weights = found["importance"], summaries["nuts"], summaries["importance"]
    efficiency = effective_draws(np.asarray(weighed.log_weights)) / weighed.size
    about = (
        f"NUTS: {found['nuts'].unconstrained.shape[0]} chains, R-hat {by_nuts['rhat']:.4f}, ESS {by_nuts['ess']}; "
        f"importance: efficiency {efficiency:.2f}, k-hat {weighed.report.khat:.2f}, ESS {by_weights['ess']}"
    )
    print(f"  {n} trials: {about}", flush=True)
    for method, summary in summaries.items():
        checked = compared(recording, summary, {name: p for name, p in found.items() if name != method})
        print(f"    {method}: largest z {checked}", flush=True)
        comparisons = len(Reference.from_record(summary).expected)
        if enough(found[method], summary) and min(checked.values()) < limit(comparisons):
            return summary | {
                "by": method,
                "about": about,
                "checked": checked,
                # The weights' relative variance is 1 / efficiency - 1.
                "log_evidence_error": rounded(np.sqrt((1.0 / efficiency - 1.0) / weighed.size)),
                "log_evidence": weighed.report.evidence_increment,
            }
    raise RuntimeError(f"expected a method that is good enough and that another one confirms, got {about}")


def enough(posterior: Posterior, summary: dict[str, Any]) -> bool:
    """Whether a method's own diagnostics let it be a reference."""
    khat = posterior.report.khat
    return summary["ess"] > ESS and (summary["rhat"] < RHAT if khat is None else khat <= KHAT_LIMIT)


def compared(recording: Recording, summary: dict[str, Any], others: dict[str, Posterior]) -> dict[str, float]:
    """The largest difference of each other method in units of the joint Monte Carlo error."""
    reference = Reference.from_record(summary)
    return {name: rounded(np.abs(z_scores(recording, reference, p)).max()) for name, p in others.items()}


def long_run(recording: Recording, n: int) -> Posterior:
    """Four chains of NUTS."""
    engine = NUTS(tune=600, draws=4000, rounds=1, target_accept=0.9)
    density, data = recording.density, recording.data(n)
    return engine.fit(density, data, rng=np.random.default_rng([n, 0]))


def long_population(recording: Recording, n: int) -> Posterior:
    """A large population from the prior, with many more moves than it needs to forget where it was."""
    engine = Sequential(islands=8, draws=1000, memory=0.0, sweeps=60)
    return engine.fit(recording.density, recording.data(n), rng=np.random.default_rng([n, 2000]))


def importance_draws(recording: Recording, n: int, known: np.ndarray, draws: int) -> Posterior:
    """Weighted draws of the posterior, proposed independently from what is known of it (m, Q) and from the prior."""
    density, data, rng = recording.density, recording.data(n), np.random.default_rng([n, 1000])
    shown, prior = known[rng.choice(len(known), 6000, replace=False)], draws // 10
    mixture = StudentMixture.fit(shown, COMPONENTS, rng)
    Q = np.concatenate([mixture.sample(draws - prior, rng), density.prior_draws(prior, rng)])
    Q = rng.permutation(Q)
    share = np.log([0.9, 0.1])[:, None]
    proposed = logsumexp(share + np.stack([mixture.log_density(Q), density.batch(Q, density.no_data)]), axis=0)
    ratios = density.batch(Q, data) - proposed
    weights, smoothed = (ratios - logsumexp(ratios)).reshape(4, -1), pareto_smoothed(ratios)
    if smoothed is None:
        raise RuntimeError("expected importance draws with a finite density, got none")
    evidence = float(logsumexp(ratios)) - np.log(len(Q)) - len(data.y) * np.log(data.scale)
    report = InferenceReport("importance", "sampled", n, khat=smoothed.khat, evidence_increment=evidence)
    return Posterior(density, data, Q.reshape(*weights.shape, -1), report, weights)


def summarised(recording: Recording, n: int, posterior: Posterior) -> dict[str, Any]:
    """Moments of hyperparameters and predictions with their errors and effective sizes, as JSON values."""
    Q, (f, _) = posterior.unconstrained, latent(posterior, recording.points)
    quantities = np.concatenate([np.moveaxis(Q, 2, 0), f])
    K, size = Q.shape[2], len(quantities)
    flat, weights = quantities.reshape(size, -1), np.full(posterior.size, 1.0 / posterior.size)
    if posterior.log_weights is not None:
        weights = np.exp(posterior.log_weights.ravel())
    centre = flat @ weights
    quantiles = np.stack([np.quantile(q, PROBABILITIES, weights=weights, method="inverted_cdf") for q in flat[:K]])
    mean, error, ess = weighted_means(posterior, expectations(posterior, recording.points, centre, quantiles))
    sd = np.sqrt(mean[size : 2 * size])
    rows: dict[str, dict[str, Any]] = {}
    for j, name in enumerate([*hyperparameters(posterior.density), *(f"f[{i}]" for i in range(len(f)))]):
        row = {"sd": sd[j], "mean_error": error[j], "sd_error": error[size + j] / (2.0 * sd[j])}
        effective = [ess[j], ess[size + j]]
        if j < K:
            part = slice(2 * size + len(PROBABILITIES) * j, 2 * size + len(PROBABILITIES) * (j + 1))
            row |= {"quantiles": quantiles[j], "probability_errors": error[part]}
            effective += list(ess[part])
        # A prediction beside a trial is known to more than six digits.
        start = {"mean": float(f"{mean[j]:.12g}")}
        rows[name] = start | {k: rounded(v) for k, v in row.items()} | {"ess": round(min(effective))}
    at = np.array([row["mean"] for row in rows.values()][:K])
    rhat = max(float(array_stats.rhat(v, chain_axis=0, draw_axis=1)) for v in quantities)
    return {
        "n": n,
        "rhat": round(rhat, 5),
        "ess": round(float(ess.min())),
        "log_density_at_mean": posterior.density.value_and_gradient(posterior.data)(at)[0],
        "quantities": rows,
    }


def hyperparameters(density: LogDensity) -> list[str]:
    """Names of the unconstrained coordinates."""
    return [b.name if not b.shape else f"{b.name}[{j}]" for b in density.blocks for j in range(b.stop - b.start)]


def rounded(values: Any) -> Any:
    """Six significant digits: more than Monte Carlo error leaves."""
    return [float(f"{v:.6g}") for v in values] if np.ndim(values) else float(f"{values:.6g}")


def read(name: str) -> dict[str, Any]:
    """A file's JSON values."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def write(name: str, record: dict[str, Any]) -> None:
    """As JSON, a list of numbers a line."""
    text = json.dumps(record, indent=1)
    text = re.sub(r"\[([^\[\]{}\"]*)\]", lambda m: "[" + " ".join(m[1].split()) + "]", text)
    (FOLDER / f"{name}.json").write_text(text + "\n")


def record_study(name: str) -> None:
    """Run a study and write it, unless that is done."""
    if not (FOLDER / f"{name}.json").exists():
        write(name, recorded(name, CASES[name]))


def add_references(name: str) -> None:
    """Every reference that is missing."""
    record = read(name)
    for n in CASES[name].at:
        if all(reference["n"] != n for reference in record["references"]):
            record["references"].append(referenced(Recording.from_record(record), n))
            write(name, record)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for chosen in sys.argv[1:]:
        (FOLDER / f"{chosen}.json").unlink(missing_ok=True)
    for step in (record_study, add_references):
        for chosen in sys.argv[1:] or CASES:
            print(step.__name__, chosen, flush=True)
            step(chosen)
