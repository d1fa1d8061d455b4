"""Commands about posteriors on record: a verdict, one opened, a proposal replayed, surrogates compared on one study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayeshpo.cli.arguments import ResultsArgument, RunOption
from bayeshpo.cli.refusals import STOPPED, refusals
from bayeshpo.errors import SpecificationError
from bayeshpo.registry import check_name, create

if TYPE_CHECKING:
    from bayeshpo.diagnostics.replay import Replay
    from bayeshpo.experiment.store import RunRecord


def diagnose(
    results: ResultsArgument,
    regression: Annotated[
        bool, typer.Option("--regression", help="Ask too whether bad diagnostics go with bad decisions: samples.")
    ] = False,
) -> None:
    """Say whether the posteriors of an experiment can be trusted, and draw what it is seen by."""
    from rich.console import Console

    console = Console()
    with refusals():
        from bayeshpo.analysis.diagnosis import diagnose as diagnosed
        from bayeshpo.analysis.diagnosis import fitted, read_regression, write_diagnosis
        from bayeshpo.analysis.diagnosis_tables import print_diagnosis
        from bayeshpo.analysis.figures import OF_POSTERIORS, draw_all

        fits = fitted(results)
        record = diagnosed(results, fits) | {"regression": read_regression(results)}
        if regression:
            # PyMC takes seconds to start: only now.
            from bayeshpo.analysis.comparison.next_regret import regress

            record["regression"] = regress(fits)
        print_diagnosis(record, console)
        typer.echo(str(write_diagnosis(results, record)))
        for path in draw_all(results, only=OF_POSTERIORS):
            typer.echo(str(path))


def posterior(
    results: ResultsArgument,
    run: RunOption = None,
    iteration: Annotated[int | None, typer.Option(help="Number of trials it has seen; the last by default.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for figures of it.")] = None,
) -> None:
    """Open a kept posterior: hyperparameters, a posterior predictive check, and the line that opens it in Python."""
    from rich.console import Console

    with refusals():
        from bayeshpo.analysis.hyperparameter_table import hyperparameter_tables
        from bayeshpo.analysis.kept import open_kept
        from bayeshpo.analysis.posteriors import print_check, print_fit, print_posterior
        from bayeshpo.analysis.predictive_check import predictive_check
        from bayeshpo.diagnostics.replay import find_run
        from bayeshpo.experiment.store import Results

        kept = [r for r in Results(results).runs() if r.posteriors]
        if not kept:
            raise SpecificationError(f"{results}: expected runs that kept a posterior, got none")
        found = find_run(kept, run)
        kept = {int(path.stem): path for path in found.posteriors}
        n = max(kept) if iteration is None else iteration
        if n not in kept:
            raise SpecificationError(f"run {found.run_id}: expected an iteration of {sorted(kept)}, got {n}")
        tree = open_kept(kept[n])
        title, console = f"{found.problem}, {found.searcher}, seed {found.seed}, {n} trials", Console()
        print_posterior(title, hyperparameter_tables(tree), console)
        print_fit({str(name): value for name, value in tree.attrs.items()}, console)
        print_check(predictive_check(tree), console)
        groups = ", ".join(sorted(tree.children))
        typer.echo(f"groups: {groups}")
        typer.echo(f'xarray.open_datatree("{kept[n]}", engine="zarr", consolidated=False)')
        for path in [] if output is None else _figures(found, kept[n], output):
            typer.echo(str(path))


def replay(
    results: ResultsArgument,
    iteration: Annotated[int, typer.Option(help="Index of the trial whose proposal is made once more.")],
    run: RunOption = None,
    surrogate: Annotated[str | None, typer.Option(help="What would it have been with this surrogate?")] = None,
    acquisition: Annotated[str | None, typer.Option(help="... with this acquisition?")] = None,
    inference: Annotated[str | None, typer.Option(help="... with this engine?")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the posterior of that moment and its figures.")
    ] = None,
) -> None:
    """Make a recorded proposal once more, from the records alone, and ask what others would have proposed."""
    from rich.console import Console

    parts = {"surrogate": surrogate, "acquisition": acquisition, "inference": inference}
    parts = {kind: name for kind, name in parts.items() if name is not None}
    with refusals():
        for kind, name in parts.items():
            check_name("engine" if kind == "inference" else kind, name)
        from bayeshpo.analysis.posteriors import print_replay
        from bayeshpo.diagnostics.replay import Replay, find_run
        from bayeshpo.experiment.store import Results
        from bayeshpo.parallel import one_blas_thread

        found = Results(results)
        with one_blas_thread():
            past = Replay.of(find_run(found.runs(), run), iteration, found.experiment.get("data_dir"))
            proposals = {"on record": past.recorded.configuration, "replayed": past.suggestion.configuration}
            for kind, name in parts.items():
                proposals[f"{kind} = {name}"] = past.instead({kind: name}).configuration
            if len(parts) > 1:
                proposals["all of these"] = past.instead(parts).configuration
            print_replay(past.run, iteration, proposals, past.problem.space, past.reports, Console())
            for path in [] if output is None else _look(past, output):
                typer.echo(str(path))
    if not past.reproduced:
        typer.echo("bayeshpo: the proposal is not the one on record; are these the versions that made it?", err=True)
        raise typer.Exit(STOPPED)


def compare_surrogates(
    results: ResultsArgument,
    surrogates: Annotated[
        str | None,
        typer.Option(
            help="Names of 'bayeshpo list surrogates', as gp,saas; by default gp, student_t, heteroscedastic, warped, "
            "warped_outcome and additive, of which those that cannot model the spaces are left out."
        ),
    ] = None,
    run: Annotated[
        list[str] | None, typer.Option("--run", help="Whose trials; the first run of each problem by default.")
    ] = None,
    inference: Annotated[str, typer.Option(help="What fits them.")] = "sequential",
) -> None:
    """Compare surrogates on the trials of recorded runs: by leaving one out, and by predicting the next trial."""
    from rich.console import Console
    from rich.progress import track

    console = Console()
    with refusals():
        names = [] if surrogates is None else [name.strip() for name in surrogates.split(",")]
        for name in names:
            check_name("surrogate", name)
        check_name("engine", inference)
        from bayeshpo.analysis.posteriors import print_surrogates
        from bayeshpo.diagnostics.replay import Replay, find_run
        from bayeshpo.diagnostics.surrogate_comparison import compare, predictions, usual
        from bayeshpo.experiment.store import Results, write_json
        from bayeshpo.parallel import one_blas_thread
        from bayeshpo.randomness import Streams

        found = Results(results)
        runs = found.runs()
        firsts = {r.problem: r for r in reversed(runs) if r.trials}
        chosen = [find_run(runs, name) for name in run] if run else [r for r in runs if firsts.get(r.problem) is r]
        data_dir = found.experiment.get("data_dir")
        histories = [Replay.of(r, r.trials[-1]["index"], data_dir).whole for r in chosen]
        names = names or usual(histories)
        engine, said, refused = create("engine", inference, {}), {name: [] for name in names}, {}
        with one_blas_thread():
            pairs = [(name, i) for name in names for i in range(len(histories))]
            for name, i in track(pairs, "fitting", console=console, transient=True):
                if name in refused:
                    continue
                rng = Streams(chosen[i].run_id, 0).generator("comparison of surrogates")
                try:
                    said[name].append(predictions(create("surrogate", name, {}), histories[i], engine, rng))
                except SpecificationError as error:
                    refused[name] = error
        said = {name: of for name, of in said.items() if name not in refused}
        if not said:
            raise next(iter(refused.values()))
        for name, error in refused.items():
            typer.echo(f"bayeshpo: warning: '{name}' is left out: {error}", err=True)
        rows = list(compare(said))
        about: dict[str, Any] = {"engine": inference, "runs": [r.run_id for r in chosen], "surrogates": rows}
        print_surrogates(rows, [f"{r.problem}/{r.searcher}/{r.seed}" for r in chosen], console)
        write_json(found.path / "surrogates.json", json.loads(json.dumps(about)))
        typer.echo(str(found.path / "surrogates.json"))


def _look(past: Replay, folder: Path) -> list[Path]:
    """The posterior of that moment as zarr, and the figures that are drawn of one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{past.iteration:05d}.zarr"
    past.study.posterior.to_zarr(path, mode="w", zarr_format=2)
    return [path, *_figures(past.run, path, folder)]


def _figures(run: RunRecord, path: Path, folder: Path) -> list[Path]:
    """What is drawn of a run's posterior at some path."""
    from dataclasses import replace

    from bayeshpo.analysis.figures import lengthscales, predictive, slice, style

    folder.mkdir(parents=True, exist_ok=True)
    with style.settings():
        runs, width = [replace(run, posteriors=(path,))], style.VENUES["neurips"]
        drawings = [drawing for figure in (lengthscales, slice, predictive) for drawing in figure.draw(runs, width)]
        return [written for drawing in drawings for written in style.save(drawing, folder)]
