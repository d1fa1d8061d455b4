"""What the inner search of a Bayesian searcher maximises."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bayeshpo.acquisitions.compiled import AcquisitionState, CompiledAcquisition
    from bayeshpo.acquisitions.outlook import Evidence
    from bayeshpo.inference.posterior import Posterior

# Draws that the inner search sees, every fourth of which will do for a first look at all candidates.
SEARCH_DRAWS = 64
_ROUGHLY = 4
# Draws that its last steps see.
CLOSE_DRAWS = 256
# Draws that the last choice, predictions and recommendations see: all, of engines that do not make very many.
CHOICE_DRAWS = 1280


class AcquisitionOverDraws:
    """An acquisition on few draws for the search and on many for the choice.

    Parameters
    ----------
    compiled, posterior, evidence
        The acquisition, the draws, and what is known when the next configuration is chosen.

    Attributes
    ----------
    fitted
        Posterior mean at the finished trials (n,), where the last choice came by it: its draws were not to believe in
        anything else.
    """

    def __init__(self, compiled: CompiledAcquisition, posterior: Posterior, evidence: Evidence) -> None:
        self.compiled, self.posterior, self.evidence = compiled, posterior, evidence
        self.state = compiled.state(self.draws(SEARCH_DRAWS), evidence)
        self._few = compiled.every(self.state, _ROUGHLY)
        self.fitted: np.ndarray | None = None

    def rough(self, Z: np.ndarray) -> np.ndarray:
        """Acquisition (m,) on the fewest draws."""
        return self.compiled.value(self._few, Z)

    def value(self, Z: np.ndarray) -> np.ndarray:
        """Acquisition (m,) on the search's draws."""
        return self.compiled.value(self.state, Z)

    def value_and_gradient(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same with its gradient (m, D)."""
        return self.compiled.value_and_gradient(self.state, Z)

    def close(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same on more draws; where functions are drawn under each, on the search's."""
        return self.compiled.value_and_gradient(self._more, Z)

    def careful(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Acquisition (m,) on the choice's draws, and its standard error (m,)."""
        most = min(CHOICE_DRAWS, self.compiled.acquisition.most_draws)
        value, error, fitted = self.compiled.over_all_draws(self.draws(most), self.evidence, Z)
        # Where fewer draws do for the choice, they do not for a recommendation.
        self.fitted = None if len(self.evidence.believed_y) or most < CHOICE_DRAWS else fitted
        return value, error

    @cached_property
    def _more(self) -> AcquisitionState:
        few = self.compiled.acquisition.most_draws <= CLOSE_DRAWS
        return self.state if few else self.compiled.state(self.draws(CLOSE_DRAWS), self.evidence)

    def draws(self, most: int) -> np.ndarray:
        """Up to so many equally weighted draws (S, Q), of those that the acquisition is of."""
        rng = np.random.default_rng(self.evidence.seed)
        return self.compiled.acquisition.chosen(self.posterior.thinned(most), rng)


class Flat:
    """The same everywhere: for when there is nothing to go by, so that the maximiser explores."""

    def rough(self, Z: np.ndarray) -> np.ndarray:
        """Zeros (m,)."""
        return np.zeros(len(Z))

    def value(self, Z: np.ndarray) -> np.ndarray:
        """Zeros (m,)."""
        return np.zeros(len(Z))

    def value_and_gradient(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Zeros (m,) and (m, D)."""
        return np.zeros(len(Z)), np.zeros_like(Z)

    def close(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Zeros (m,) and (m, D)."""
        return self.value_and_gradient(Z)

    def careful(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Zeros (m,), twice."""
        return np.zeros(len(Z)), np.zeros(len(Z))
