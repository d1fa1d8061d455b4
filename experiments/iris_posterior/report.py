"""Tables and figures of the example."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from posterior import POWERS
from problem import everything
from scipy.stats import gaussian_kde, norm
from tuning import typical

from bayeshpo.analysis.figures.style import (
    DATA,
    GUIDE,
    PRIOR,
    WARNING,
    Drawing,
    guides,
    legend,
    looks,
    new_figure,
    save,
    settings,
)  # fmt: skip

_WIDTH = 6.5
_POSTERIOR = "#882255"
# Below this a loss is the best one for all purposes.
_FLOOR = 1e-6
_TITLES = {
    "linear": "linear, class as a number",
    "softmax": "softmax, prior scale 1",
    "hyperprior": "softmax, prior scale learnt",
}


def write(record: Mapping[str, Any], trees: Mapping[str, xr.DataTree], folder: Path) -> None:
    """table.md and the figures, and the tables on the terminal."""
    with settings():
        drawings = [_families(record, trees["hyperprior"]), _looked_at(record, trees)]
        for drawing in drawings:
            pdf, _ = save(drawing, folder)
            pdf.unlink()
    _ranks(trees, folder)
    text = "\n".join([*_answers(record), "", *_checks(record)])
    captions = "\n\n".join(f"`{drawing.name}.png`: {drawing.caption}" for drawing in drawings)
    (folder / "table.md").write_text(f"{text}\n\n{captions}\n", encoding="utf-8")
    print(text)


def _answers(record: Mapping[str, Any]) -> list[str]:
    lines = ["| answer | prior scale | log loss of five folds | accuracy |", "|---|---|---|---|"]
    for name, row in record["answers"].items():
        scale = row.get("scale", "-")
        if isinstance(scale, list):
            scale = f"{scale[1]:.3g} ({scale[0]:.3g} to {scale[2]:.3g})"
        elif isinstance(scale, float):
            scale = f"{scale:.4g}"
        lines.append(f"| {name} | {scale} | {row['log_loss']:.4f} | {row['accuracy']:.1%} |")
    return lines


def _checks(record: Mapping[str, Any]) -> list[str]:
    models = record["checks"]
    rows = {
        "largest R-hat": ("rhat_max", ".4f"), "largest nested R-hat": ("rhat_nested_max", ".4f"),
        "smallest bulk ESS": ("ess_bulk_min", ".0f"),
        "smallest tail ESS": ("ess_tail_min", ".0f"), "largest MCSE of a mean, in sd": ("mcse_max", ".3f"),
        "smallest E-BFMI": ("bfmi_min", ".2f"), "divergences": ("divergences", "d"), "draws": ("draws", "d"),
        "elpd by PSIS-LOO": ("elpd_loo", ".1f"), "its standard error": ("elpd_loo_se", ".1f"),
        "effective parameters": ("p_loo", ".1f"), "share of k-hat above 0.7": ("khat_bad", ".1%"),
    }  # fmt: skip
    lines = ["| check | " + " | ".join(_TITLES[m] for m in models) + " |", "|---|" + "---|" * len(models)]
    for label, (key, form) in rows.items():
        lines.append(f"| {label} | " + " | ".join(f"{models[m][key]:{form}}" for m in models) + " |")
    for name in POWERS:
        cells = (_most_sensitive(models[m]["sensitivity"][name]) for m in models)
        lines.append(f"| largest sensitivity to the {name} | " + " | ".join(cells) + " |")
    for group in ("prior", "posterior"):
        for statistic in ("mean", "sd"):
            cells = (_interval(models[m][f"{group}_predictive"][statistic]) for m in models)
            lines.append(f"| {statistic} of the class, {group} predictive | " + " | ".join(cells) + " |")
    return lines


def _most_sensitive(values: Mapping[str, float]) -> str:
    name = max(values, key=lambda quantity: values[quantity])
    return f"{values[name]:.2f} ({name}); above 0.05: {np.mean(np.array(list(values.values())) > 0.05):.0%}"


def _interval(found: Mapping[str, Any]) -> str:
    low, middle, high = found["replicated"]
    return f"{middle:.2f} ({low:.2f} to {high:.2f}); data {found['observed']:.2f}"


def _families(record: Mapping[str, Any], tree: xr.DataTree) -> Drawing:
    """Loss of the mode by the scale with the trials of one seed, what the posterior says of it, and the searches."""
    figure = new_figure(_WIDTH, 3.6)
    axes = figure.subplot_mosaic([["loss", "found"], ["scale", "found"]], height_ratios=[1.7, 1.0])
    style = looks(dict.fromkeys(s["family"] for s in record["studies"]))
    scales, losses = (np.array(record["curve"][name]) for name in ("scale", "loss"))
    axes["loss"].plot(scales, losses, color=DATA, linewidth=0.9)
    for study in record["studies"]:
        if study["seed"] == 0:
            look = style[study["family"]]
            axes["loss"].plot(study["scale"], study["loss"], look.marker, color=look.color, alpha=0.8, markersize=3.5)
    bayes = record["answers"]["hyperprior, posterior"]["log_loss"]
    axes["loss"].axhline(bayes, color=_POSTERIOR, linestyle="--", linewidth=0.9)
    axes["loss"].text(scales[0], bayes * 1.05, "full posterior", color=_POSTERIOR, va="bottom")
    axes["loss"].set(xscale="log", yscale="log", ylabel="log loss of five folds")
    axes["loss"].tick_params(labelbottom=False)

    draws = np.log(tree["posterior"]["scale"].values.ravel())
    axes["scale"].fill_between(scales, norm.pdf(np.log(scales), 0.0, 2.0), color=PRIOR, alpha=0.35, linewidth=0)
    axes["scale"].plot(scales, gaussian_kde(draws)(np.log(scales)), color=_POSTERIOR)
    axes["scale"].text(0.03, 0.25, "prior", color="#555555")
    axes["scale"].text(25.0, 0.6, "posterior", color=_POSTERIOR)
    axes["scale"].set(xscale="log", xlabel="prior scale $s$", ylabel="density of $\\log s$", ylim=(0.0, None))
    for family, look in style.items():
        axes["scale"].plot(
            typical(record["studies"], family), 0.03, look.marker, color=look.color, clip_on=False, zorder=3
        )

    lowest = min(losses.min(), *(min(s["loss"]) for s in record["studies"]))
    for family, look in style.items():
        found = [np.minimum.accumulate(s["loss"]) for s in record["studies"] if s["family"] == family]
        excess = np.maximum(np.array(found) - lowest, _FLOOR)
        trials = np.arange(1, excess.shape[1] + 1)
        axes["found"].plot(trials, excess.T, color=look.color, linewidth=0.4, alpha=0.5)
        axes["found"].plot(trials, np.median(excess, axis=0), look.line, color=look.color, marker=look.marker)
    axes["found"].set(yscale="log", xlabel="trials", ylabel="log loss above the lowest known")
    guides(axes["found"])
    legend(figure, style, _WIDTH)
    seeds = len({s["seed"] for s in record["studies"]})
    caption = (
        "Left, above: cross-validated log loss of the mode by the prior's scale (line), trials of one study of each "
        "family, and the log loss of the full posterior whose scale has a prior of its own (dashed). Below: that prior "
        "and the posterior of the scale, and where the study of median loss of each family ended. Right: "
        f"log loss above the lowest known, medians (bold) and each of {seeds} studies, no lower than {_FLOOR:g}."
    )
    return Drawing("families", figure, caption)


def _looked_at(record: Mapping[str, Any], trees: Mapping[str, xr.DataTree]) -> Drawing:
    """Predictive draws beside the data, and k-hat of each observation: a row a model."""
    figure = new_figure(_WIDTH, 1.45 * len(trees) + 0.3)
    grid = figure.subplots(len(trees), 3, sharex="col", squeeze=False)
    for (name, tree), (before, after, right) in zip(trees.items(), grid, strict=True):
        _replications(before, tree["prior_predictive"])
        _replications(after, tree["posterior_predictive"])
        after.set_title(_TITLES[name])
        before.set_ylabel("share below")
        khat, limit = np.array(record["checks"][name]["khat"]), record["checks"][name]["khat_limit"]
        colors = np.where(khat > limit, WARNING, GUIDE)
        right.scatter(np.arange(len(khat)), khat, s=6, c=list(colors), linewidths=0)
        right.axhline(limit, color=WARNING, linestyle="--", linewidth=0.8)
        right.set_ylabel("$\\widehat{k}$")
        right.set_title(f"{np.mean(khat > limit):.0%} above {limit:g}")
    grid[-1, 0].set(xlabel="class, prior predictive", xticks=[0, 1, 2], xlim=(-3.0, 5.0))
    grid[-1, 1].set(xlabel="class, posterior predictive", xticks=[0, 1, 2])
    grid[-1, 2].set(xlabel="observation")
    caption = (
        "Left and middle: distribution of the class in the data (black) and in 40 draws of the prior and of the "
        "posterior predictive; the linear model's prior goes on beyond the axis. Right: Pareto k-hat of each "
        "observation in PSIS-LOO, with its limit (dashed)."
    )
    return Drawing("checks", figure, caption)


def _replications(axes: Axes, predictive: Any) -> None:
    """The distribution of the class in 40 replications of the data, and in the data."""
    predicted = predictive["outcome"].stack(sample=("chain", "draw")).values
    for draw in predicted.T[:: predicted.shape[1] // 40]:
        axes.ecdf(draw, color=looks(["bayesian"])["bayesian"].color, linewidth=0.4, alpha=0.4)
    axes.ecdf(everything().y, color=DATA, linewidth=1.2)


def _ranks(trees: Mapping[str, xr.DataTree], folder: Path) -> None:
    """ArviZ's own figure of ranks by chain, of the linear model and of the scale that is learnt."""
    for name, shown in (("linear", ["alpha", "beta", "sigma"]), ("hyperprior", ["scale"])):
        az.plot_rank_dist(trees[name], var_names=shown, backend="matplotlib").savefig(folder / f"ranks_{name}.png")
        plt.close("all")
