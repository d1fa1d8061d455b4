"""A results folder in small form: what figures, tables and the paper need, and no more."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayeshpo.analysis.checks import beside
from bayeshpo.analysis.comparisons import read_comparisons, write_comparisons
from bayeshpo.analysis.kept import RELEVANT, open_kept, relevant_slice
from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.store import Results, RunRecord, plain, write_json
from bayeshpo.inference.report import OF_A_FIT

if TYPE_CHECKING:
    import xarray as xr

_TRIAL_COLUMNS = (
    "index",
    "value",
    "status",
    "origin",
    "seconds_ask",
    "seconds_evaluate",
    "work",
    "metrics",
    "true_value",
    "suggestion_info",
    "told",
)
_AHEAD = ("ahead_pit", "ahead_log_score", "ahead_earlier")
_INFERENCE_COLUMNS = (
    "trial", "n", "action", "status", "chains", "draws", "rhat_max", "rhat_nested_max", "ess_bulk_min", "ess_tail_min",
    "mcse_max", "divergences", "bfmi_min", "khat", "ess_importance", "seconds_sample", "seconds_maximise",
    "seconds_diagnose", "audit_status",
    *_AHEAD, "loo_bad_share", "quantiles", "point_distance", "point_loss",
    "optimum_entropy", "optimum_place", "regret_expected", "regret_quantiles", "halves_distance", "halves_loss",
)  # fmt: skip
_DRAWS = 1000
_SLICE_DRAWS = 30
# Any fixed date: the same results must give the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


def export(results: str | Path, destination: str | Path) -> list[Path]:
    """Write a results folder in small form, to be committed beside a paper.

    It is a results folder again, read by the same code: all runs, the columns that figures and tables use, and of each
    run's last kept posterior a thinned sample of the lengthscales; slices, and the configurations that they need, only
    for the first seed of each searcher on each problem. A kept posterior is one zip file.

    Parameters
    ----------
    results
        The results folder.
    destination
        Folder to write; replaced if it is an earlier export.

    Returns
    -------
    paths
        The files written.

    Raises
    ------
    SpecificationError
        If the destination holds anything that is not results in small form.
    """
    source, target = Results(results), Path(destination)
    _clear(target)
    write_json(target / "experiment.json", {**source.experiment, "exported": True})
    if comparisons := read_comparisons(source.path):
        write_comparisons(target, comparisons)
    sliced = set()
    for run in source.runs():
        pair = (run.problem, run.searcher)
        with_slice = bool(run.posteriors) and pair not in sliced
        _export_run(run, target / "runs" / run.run_id, with_slice)
        if with_slice:
            sliced.add(pair)
    return sorted(path for path in target.rglob("*") if path.is_file())


def _clear(target: Path) -> None:
    if target.exists() and any(target.iterdir()):
        experiment = target / "experiment.json"
        if not experiment.is_file() or not Results(target).experiment.get("exported"):
            raise SpecificationError(f"{target}: expected an empty folder or an earlier export; give another one")
        shutil.rmtree(target)
    target.mkdir(parents=True, exist_ok=True)


def _export_run(run: RunRecord, folder: Path, with_slice: bool) -> None:
    folder.mkdir(parents=True)
    write_json(folder / "spec.json", run.spec)
    of_trials = (*_TRIAL_COLUMNS, "configuration") if with_slice else _TRIAL_COLUMNS
    of_fits = {f"{n}_{k}": None for row in run.inference for n in beside(row) for k in (*OF_A_FIT, *_AHEAD)}
    for name, rows, columns in (
        ("trials.jsonl", run.trials, of_trials),
        ("inference.jsonl", run.inference, (*_INFERENCE_COLUMNS, *of_fits)),
    ):
        lines = [json.dumps(plain({key: row[key] for key in columns if key in row})) + "\n" for row in rows]
        if lines:
            (folder / name).write_text("".join(lines), encoding="utf-8")
    if run.done is not None:
        write_json(folder / "done.json", run.done)
    if run.posteriors:
        (folder / "posterior").mkdir()
        _zip(_thin(run, with_slice), folder / "posterior" / run.posteriors[-1].name)


def _thin(run: RunRecord, with_slice: bool) -> xr.DataTree:
    import xarray as xr

    tree = open_kept(run.posteriors[-1])
    groups = {"constant_data": tree["constant_data"].to_dataset()[["X"]]}
    for group in ("posterior", "prior"):
        if group in tree.children and "lengthscale" in tree[group].data_vars:
            kept = tree[group].to_dataset()[["lengthscale"]]
            step = max(1, kept.sizes["chain"] * kept.sizes["draw"] // _DRAWS)
            groups[group] = kept.isel(draw=slice(None, None, step))
    cut = relevant_slice(run, tree) if with_slice else None
    if cut is not None:
        kept = tree["slice"].to_dataset().isel(slice_draw=slice(0, _SLICE_DRAWS))
        # Thinned lengthscales could rank otherwise.
        groups["slice"] = kept.assign_attrs({RELEVANT: cut.hyperparameter})
    return xr.DataTree.from_dict({name: _single_precision(dataset) for name, dataset in groups.items()})


def _single_precision(dataset: xr.Dataset) -> xr.Dataset:
    # What the source was compressed and chunked with does not fit the thinned arrays.
    dataset = dataset.drop_encoding()
    return dataset.assign({k: v.astype(np.float32) for k, v in dataset.data_vars.items() if v.dtype == np.float64})


def _zip(tree: xr.DataTree, path: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        tree.to_zarr(scratch, mode="w", consolidated=False)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(p for p in Path(scratch).rglob("*") if p.is_file()):
                entry = zipfile.ZipInfo(file.relative_to(scratch).as_posix(), _DATE)
                archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
