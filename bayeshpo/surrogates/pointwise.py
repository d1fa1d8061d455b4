"""Log density of each outcome by itself, where outcomes are independent given the hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.symbolic import clone_replace, pm

if TYPE_CHECKING:
    from bayeshpo.surrogates.base import Parameters, Surrogate


def pointwise(surrogate: Surrogate, columns: Columns, p: Parameters, data: Mapping[str, Any]) -> Any:
    """See `Surrogate.leave_one_out`."""
    model: Any = surrogate.model(columns, np.zeros((2, columns.dimension)), np.zeros(2))
    terms = [pm.logp(rv, model.rvs_to_values[rv]) for rv in model.observed_RVs]
    if len(terms) != 1 or terms[0].ndim != 1 or model.potentials:
        raise SpecificationError(
            f"surrogate '{surrogate.name}': expected one observed variable with a log density for each trial, and no "
            f"potentials, to leave out trials one by one, got {[f'{t.ndim} dimensions' for t in terms]} and "
            f"{len(model.potentials)} potentials; override leave_one_out, or weigh by 'one_step_ahead'"
        )
    known = {rv: p[rv.name] for rv in model.free_RVs} | {model[name]: variable for name, variable in data.items()}
    return clone_replace(terms, known)[0]
