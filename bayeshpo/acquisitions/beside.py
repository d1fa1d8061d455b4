"""A model of something else than the loss, fitted to the trials beside the surrogate."""

from __future__ import annotations

from typing import Any

from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.predictive import predictive
from bayeshpo.inference.report import OF_A_FIT

DRAWS = 64


class ModelBeside:
    """The posterior of such a model; without one, or with one whose fit failed, nothing is known of what it is about.

    Parameters
    ----------
    posterior
        Draws, of which up to 64 are conditioned on the trials.
    """

    # What its entries in a row of inference begin with.
    name: str

    def __init__(self, posterior: Posterior | None = None) -> None:
        failed = posterior is not None and posterior.report.status == "failed"
        self.posterior = posterior = None if failed else posterior
        if posterior is not None:
            self._predictive = predictive(posterior.density)
            self._draws = self._predictive.condition(posterior.thinned(DRAWS), posterior.data)

    def to_row(self) -> dict[str, Any]:
        """The fit behind it, as entries of a row of inference; none where there is no fit."""
        if self.posterior is None:
            return {}
        return fit_row(self.name, self.posterior)


def fit_row(name: str, posterior: Posterior) -> dict[str, Any]:
    """How a fit of something else than the loss ended, and what speaks for it, as entries of a row of inference."""
    row = posterior.report.to_row()
    return {f"{name}_{key}": row[key] for key in OF_A_FIT} | {f"{name}_seconds": row["seconds_sample"]}
