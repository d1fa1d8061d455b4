"""Quantiles of mixtures of normal distributions, as a compiled node."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply

from bayeshpo.acquisitions.normal import cdf, log_pdf
from bayeshpo.surrogates.compiled_op import CompiledOp
from bayeshpo.surrogates.symbolic import disconnected_grad, pt

_MOST_STEPS = 60
_CLOSE = 1e-12


def quantile(mean: Any, s: Any, weight: Any, z: float) -> Any:
    """q (m,) with sum_i weight_i Phi((q - mean_i) / s_i) = Phi(z), of means, deviations and weights (S, m).

    The search for it knows no derivatives; one more step of Newton's has those of the quantile, by the theorem of
    implicit functions.
    """
    q = disconnected_grad(MixtureQuantile()(mean, s, weight, z))
    t = (q - mean) / s
    density = disconnected_grad(pt.sum(weight * pt.exp(log_pdf(t)) / s, axis=0))
    return q - (pt.sum(weight * cdf(t), axis=0) - cdf(z)) / density


def _quantile(mean, s, weight, z):
    draws, candidates = mean.shape
    probability = 0.5 * math.erfc(-z / math.sqrt(2.0))
    quantiles = np.empty(candidates)
    for j in range(candidates):
        # It lies between the draws' own.
        low, high = np.inf, -np.inf
        for i in range(draws):
            own = mean[i, j] + z * s[i, j]
            low, high = min(low, own), max(high, own)
        q, width = 0.5 * (low + high), high - low
        for _ in range(_MOST_STEPS):
            below, density = 0.0, 0.0
            for i in range(draws):
                t = (q - mean[i, j]) / s[i, j]
                below += weight[i, j] * 0.5 * math.erfc(-t / math.sqrt(2.0))
                density += weight[i, j] * math.exp(-0.5 * t * t) / (s[i, j] * math.sqrt(2.0 * math.pi))
            if below < probability:
                low = q
            else:
                high = q
            # Newton's step where it stays between the two, else halfway.
            former, q = q, q - (below - probability) / density if density > 0.0 else np.inf
            if not low < q < high:
                q = 0.5 * (low + high)
            if abs(q - former) <= _CLOSE * width:
                break
        quantiles[j] = q
    return quantiles


class MixtureQuantile(CompiledOp):
    """(mean (S, m), s (S, m), weight (S, m), z) -> q (m,); without a gradient of its own, see `quantile`."""

    gufunc_signature = "(s,m),(s,m),(s,m),()->(m)"
    implementation = staticmethod(_quantile)

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, [pt.as_tensor(x) for x in inputs], [pt.dvector()])

    def infer_shape(self, node: Apply, shapes: Any) -> list[Any]:
        return [shapes[0][1:]]
