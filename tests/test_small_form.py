"""Posteriors that were kept, and the small form of results."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from synthetic_results import write_results

from bayeshpo.analysis import __main__ as command
from bayeshpo.analysis import kept
from bayeshpo.analysis.export import export
from bayeshpo.analysis.fits import fits_of
from bayeshpo.analysis.health import posterior_health
from bayeshpo.analysis.kept import lengthscales, open_kept, relevant_slice
from bayeshpo.analysis.regret import simple_regret
from bayeshpo.analysis.scale import scale_of
from bayeshpo.analysis.tables import write_tables
from bayeshpo.diagnostics.replay import Replay
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import Results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_results(tmp_path_factory.mktemp("results") / "demo", seeds=2, budget=10)


class TestSmallForm:
    def test_gives_the_same_regret_health_and_tables(self, results: Path, tmp_path: Path):
        export(results, tmp_path / "small")
        whole, small = Results(results).runs(), Results(tmp_path / "small").runs()
        for a, b in zip(simple_regret(whole), simple_regret(small), strict=True):
            np.testing.assert_array_equal(a.values, b.values)
        assert posterior_health(fits_of(whole)) == posterior_health(fits_of(small))
        tables = write_tables(results, tmp_path / "a"), write_tables(tmp_path / "small", tmp_path / "b")
        assert [p.name for p in tables[0]] == ["regret.tex", "overall.tex", "health.tex", "numbers.tex"]
        for a, b in zip(*tables, strict=True):
            assert a.read_text() == b.read_text()

    def test_keeps_a_thinned_posterior_and_the_slice_of_the_first_seed(self, results: Path, tmp_path: Path):
        export(results, tmp_path / "small")
        whole = [run for run in Results(results).runs() if run.posteriors]
        small = [run for run in Results(tmp_path / "small").runs() if run.posteriors]
        for before, after in zip(whole, small, strict=True):
            full, thin = open_kept(before.posteriors[-1]), open_kept(after.posteriors[-1])
            a, b = lengthscales(full), lengthscales(thin)
            assert a is not None
            assert b is not None
            assert a.hyperparameters == b.hyperparameters
            assert len(b.posterior) < len(a.posterior)
            # Medians of 1,000 draws of spread 0.4: five standard errors of 1.25 x 0.4 / sqrt(1000).
            shift = np.log(np.median(a.posterior, axis=0) / np.median(b.posterior, axis=0))
            assert np.abs(shift).max() < 5 * 1.25 * 0.4 / math.sqrt(1000)
            cut = relevant_slice(after, thin)
            assert (cut is not None) == (after.seed == 0)
            if cut is not None:
                chosen = relevant_slice(before, full)
                assert chosen is not None
                assert chosen.hyperparameter == cut.hyperparameter
                np.testing.assert_allclose(chosen.mean, cut.mean, rtol=1e-6)
                scale = scale_of(cut)
                assert scale is not None
                assert scale.logarithmic
                np.testing.assert_allclose(scale(np.array([0.0, 1.0])), np.exp([-4.0, 4.0]), rtol=1e-3)

    def test_same_results_give_the_same_bytes_and_an_earlier_export_is_replaced(self, results: Path, tmp_path: Path):
        first = {p.relative_to(tmp_path / "s"): p.read_bytes() for p in export(results, tmp_path / "s")}
        second = {p.relative_to(tmp_path / "s"): p.read_bytes() for p in export(results, tmp_path / "s")}
        assert first == second
        assert sum(map(len, first.values())) < 300_000

    def test_never_replaces_anything_else(self, results: Path, tmp_path: Path):
        with pytest.raises(SpecificationError, match="an earlier export"):
            export(results, results)
        (tmp_path / "thesis.tex").write_text("work of years")
        with pytest.raises(SpecificationError, match="an earlier export"):
            export(results, tmp_path)

    def test_command(self, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        assert command.main(["export", str(results), str(tmp_path / "small")]) == 0
        assert command.main(["export", str(tmp_path / "nowhere"), str(tmp_path / "small")]) == 2
        assert "no results here" in capsys.readouterr().err


def test_slices_of_surrogates_without_lengthscales(results: Path):
    run = next(run for run in Results(results).runs() if run.posteriors)
    tree = open_kept(run.posteriors[-1])
    groups = {name: node.to_dataset() for name, node in tree.children.items()}
    groups["posterior"] = groups["posterior"].drop_vars("lengthscale")
    cut = relevant_slice(run, xr.DataTree.from_dict(groups))
    assert cut is not None
    mean = groups["slice"]["mean"]
    change = mean.max("position") - mean.min("position")
    assert cut.hyperparameter == str(change.idxmax("hyperparameter").values)
    assert ((cut.closeness > 0.0) & (cut.closeness <= 1.0)).all()


def test_runs_in_small_form_are_not_replayed_and_it_is_said_what_to_give(tmp_path: Path):
    export(write_results(tmp_path / "whole", seeds=1, budget=8), tmp_path / "small")
    for run in Results(tmp_path / "small").runs():
        with pytest.raises(SpecificationError, match="give the results folder that it was made from"):
            Replay.of(run, 3)


def test_kept_posteriors_in_memory_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    paths = [tmp_path / f"{n:05d}.zarr" for n in range(4)]
    for n, path in enumerate(paths):
        values = xr.Dataset({"noise": (("chain", "draw"), np.full((2, 500), float(n)))})
        xr.DataTree.from_dict({"posterior": values}).to_zarr(path, mode="w", zarr_format=2, consolidated=False)
    monkeypatch.setattr(kept, "_held", {})
    monkeypatch.setattr(kept, "_MOST_BYTES", int(2.5 * open_kept(paths[0]).nbytes))
    opened = [open_kept(path) for path in paths[:3]]
    # The first was opened least lately, and had to go for the third.
    assert open_kept(paths[2]) is opened[2]
    assert open_kept(paths[1]) is opened[1]
    assert open_kept(paths[0]) is not opened[0]
    assert sum(tree.nbytes for tree in kept._held.values()) <= kept._MOST_BYTES
    # Now the third, and one that is too large is held for as long as it is the last.
    assert open_kept(paths[2]) is not opened[2]
    monkeypatch.setattr(kept, "_MOST_BYTES", 1)
    last = open_kept(paths[3])
    assert open_kept(paths[3]) is last
    assert len(kept._held) == 1
    assert (last["posterior"]["noise"] == 3.0).all()
