"""What a surrogate believes before it has seen a trial: its priors as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pymc.distributions.truncated import TruncatedRV
from pymc.printing import str_for_dist
from pytensor.scalar.basic import Reciprocal

from bayeshpo.surrogates.columns import Columns
from bayeshpo.surrogates.symbolic import UNCOMPILED, pm

if TYPE_CHECKING:
    import pandas as pd

    from bayeshpo.surrogates.base import Surrogate

_DRAWS = 4000
# What hyperparameters of these names are measured in, in all surrogates of this package.
UNITS = {
    "mean": "standardised loss",
    "amplitude": "standardised loss",
    "noise": "standardised loss",
    "task_mean": "standardised loss",
    "task_amplitude": "standardised loss",
    "task_noise": "standardised loss",
    "slab": "standardised loss",
    "lengthscale": "width of the unit cube",
    "weight": "one over the width of the unit cube",
}


def describe(surrogate: Surrogate, columns: Columns) -> pd.DataFrame:
    """A row a hyperparameter: its prior, shape, mean, 90 % interval and unit.

    Mean and interval (5 % and 95 % quantiles) are those of 4000 draws, all entries of a vector together.
    """
    import pandas as pd

    model: Any = surrogate.model(columns, np.zeros((2, columns.dimension)), np.zeros(2))
    drawn = pm.draw(model.free_RVs, draws=_DRAWS, random_seed=0, mode=UNCOMPILED)
    rows = {}
    for rv, values in zip(model.free_RVs, drawn, strict=True):
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
        rows[rv.name] = {
            "prior": _law(rv),
            "size": int(np.prod(values.shape[1:])),
            "mean": float(values.mean()),
            "5 %": float(low),
            "50 %": float(middle),
            "95 %": float(high),
            "unit": UNITS.get(rv.name, ""),
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "hyperparameter"
    return table


def _law(rv: Any) -> str:
    """A distribution as one would write it; PyMC's own words are not those of what is truncated, nor of rates."""
    node = rv.owner
    if not isinstance(node.op, TruncatedRV):
        # Gamma and Exponential are given rates, and keep their reciprocals.
        inputs = [_without_reciprocal(x) for x in node.inputs]
        return str_for_dist(node.clone_with_new_inputs(inputs).default_output()).split("~")[-1].strip()
    *inputs, lower, upper = node.inputs
    law = _law(node.op.base_rv_op.make_node(*inputs).default_output())
    bounds = [f"{name}={x}" for name, x in (("lower", _number(lower)), ("upper", _number(upper))) if "inf" not in x]
    return f"Truncated({', '.join([law, *bounds])})"


def _number(x: Any) -> str:
    data = getattr(x, "data", None)
    return f"{data:.3g}" if isinstance(data, np.ndarray) and data.ndim == 0 else "<expression>"


def _without_reciprocal(x: Any) -> Any:
    scalar_op = getattr(getattr(x.owner, "op", None), "scalar_op", None)
    return x.owner.inputs[0] if isinstance(scalar_op, Reciprocal) else x
