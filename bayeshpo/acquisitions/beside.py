"""A model of something else than the loss, fitted to the trials beside the surrogate."""

from __future__ import annotations

from typing import Any

from bayeshpo.inference.posterior import Posterior
from bayeshpo.inference.predictive import predictive

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
    """A fit of something else than the loss, as entries of a row of inference."""
    report = posterior.report
    return {f"{name}_status": report.status, f"{name}_khat": report.khat, f"{name}_seconds": report.seconds_sample}
