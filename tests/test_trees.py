"""Trees of posteriors for ArviZ: power scaling, and the root of a mixture."""

from __future__ import annotations

import arviz
import numpy as np
import pytest
import xarray as xr

import bayeshpo
from bayeshpo.inference.sensitivity import log_components, sensitivity
from bayeshpo.inference.stacked_tree import by_weights

# What the tests of the searcher compile serves here too.
PLANE = {"x": (0.0, 1.0), "z": (0.0, 1.0)}


def test_power_scaling_by_arviz_is_ours():
    s = bayeshpo.Study(PLANE, bayeshpo.BayesianSearcher(n_initial=6), seed=2)
    s.optimize(lambda c: (c["x"] - 0.3) ** 2 + 0.5 * (c["z"] - 0.6) ** 2, 8, progress=False)
    tree, posterior = s.posterior["power_scaling"], s.searcher._known.posterior(s.history, s.streams)
    Q = posterior.equally_weighted.reshape(posterior.size, -1)
    components = log_components(posterior, Q)
    total = tree["log_likelihood"]["outcome"].stack(sample=("chain", "draw"))
    np.testing.assert_allclose(total, components["likelihood"], rtol=1e-8, atol=1e-8)
    assert set(tree["log_prior"].data_vars) == set(tree["posterior"].data_vars)
    # On the hyperparameters' own scale, which distances between distributions depend on; on the logarithm it is ours.
    assert set(arviz.psense_summary(tree).columns) == {"prior", "likelihood", "diagnosis"}
    names = [n for n in tree["posterior"].data_vars if n != "mean"]
    logs = tree["posterior"].to_dataset().assign({n: np.log(tree["posterior"][n]) for n in names})
    groups = {"posterior": logs} | {name: tree[name].to_dataset() for name in ("log_prior", "log_likelihood")}
    found = arviz.psense_summary(xr.DataTree.from_dict(groups), round_to=9)
    ours = sensitivity(posterior, Q, components)
    for component in ("prior", "likelihood"):
        for name, value in ours[f"{component}_sensitivity"].items():
            assert found.loc[name, component] == pytest.approx(value, rel=1e-6, abs=1e-6)
    # Leave-one-out densities are something else, and say so; there is no log prior beside them.
    assert "leave-one-out" in s.posterior["log_likelihood"].attrs["densities"]
    with pytest.raises(TypeError, match="log prior not found"):
        arviz.psense_summary(s.posterior)


def test_each_predictive_draw_of_a_mixture_is_of_a_member_by_the_weights():
    # Outcomes say which member, chain and draw they are of; of the second there are fewer chains and draws.
    def member(k, chains, draws):
        outcome = 1e4 * k + 1e3 * np.arange(chains)[:, None, None] + np.arange(draws)[:, None] + np.zeros(3)
        dataset = xr.Dataset({"outcome": (("chain", "draw", "trial"), outcome)})
        return xr.DataTree.from_dict({"posterior_predictive": dataset, "log_likelihood": dataset - 1.0})

    members = {"a": member(0, 4, 800), "b": member(1, 2, 400)}
    weights = np.array([0.7, 0.3])
    found = by_weights(members, weights, True, np.random.default_rng(0))
    chosen = found["sample_stats"]["member"]
    assert chosen.shape == (2, 400)
    # Of 800 independent draws: four standard errors.
    assert float((chosen == 1).mean()) == pytest.approx(0.3, abs=4.0 * np.sqrt(0.21 / 800))
    outcome = found["posterior_predictive"]["outcome"].transpose("chain", "draw", "trial").values
    of_a = 2e3 * np.arange(2)[:, None] + 2.0 * np.arange(400)
    of_b = 1e4 + 1e3 * np.arange(2)[:, None] + np.arange(400)
    np.testing.assert_array_equal(outcome, np.where(chosen.values == 0, of_a, of_b)[:, :, None] + np.zeros(3))
    likelihood = found["log_likelihood"]["outcome"].transpose("chain", "draw", "trial").values
    np.testing.assert_array_equal(likelihood, outcome - 1.0)
    assert "log_likelihood" not in by_weights(members, weights, False, np.random.default_rng(0))
    assert by_weights(members | {"c": xr.DataTree()}, np.ones(3) / 3, True, np.random.default_rng(0)) == {}
