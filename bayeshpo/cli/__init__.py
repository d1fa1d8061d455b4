"""Command line: ``bayeshpo run``, ``figures``, ``summary``, ``diagnose``, ``report``, ``prior``, ``list`` and others.

Heavy imports wait for their command.
"""

from __future__ import annotations

import os
import shlex
import tomllib
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayeshpo import __version__
from bayeshpo.cli.arguments import RecordOption, ResultsArgument, SurrogateArgument
from bayeshpo.cli.posteriors import compare_surrogates, diagnose, posterior, replay
from bayeshpo.cli.refusals import INTERRUPTED, STOPPED, refusals
from bayeshpo.errors import SpecificationError, unknown_name
from bayeshpo.registry import KINDS, check_name, create

if TYPE_CHECKING:
    from rich.console import Console

    from bayeshpo.experiment.spec import Plan

app = typer.Typer(
    help="Bayesian hyperparameter optimisation with full posterior inference.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point of the ``bayeshpo`` command."""
    app()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=lambda v: _version(v))
    ] = False,
) -> None:
    """Options that come before a command."""


@app.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The experiment, as experiments/quickstart.toml.")],
    workers: Annotated[int | None, typer.Option(help="Processes; the number of cores by default.")] = None,
    results: Annotated[Path | None, typer.Option(help="Results folder; results/NAME by default.")] = None,
    budget: Annotated[int | None, typer.Option(help="Trials per run, in place of the file's.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Number of seeds, in place of the file's.")] = None,
    executor: Annotated[
        str | None, typer.Option(help="local, dask or a Dask scheduler's address, in place of the file's.")
    ] = None,
) -> None:
    """Run an experiment, or go on with it: finished trials are kept, and are not run again."""
    from rich.console import Console

    console = Console()
    with refusals():
        from bayeshpo.experiment import spec

        plan = spec.read(file, budget=budget, seeds=seeds, executor=executor)
        for warning in plan.warnings:
            typer.echo(f"bayeshpo: warning: {warning}", err=True)
        folder = results or Path("results") / plan.experiment.name
        try:
            stopped = _execute(plan, folder, workers, console)
        except KeyboardInterrupt:
            options = {"workers": workers, "results": results, "budget": budget, "seeds": seeds, "executor": executor}
            _say_how_to_resume(console, folder, file, **options)
            raise typer.Exit(INTERRUPTED) from None
    if stopped:
        raise typer.Exit(STOPPED)


@app.command()
def new(name: Annotated[str, typer.Argument(metavar="NAME", help="The experiment's name.")]) -> None:
    """Write NAME.toml, a commented experiment file that runs as it is."""
    with refusals():
        from bayeshpo.experiment.template import write_template

        path = write_template(name)
    typer.echo(f"{path} is written; run it with:\n  bayeshpo run {path}")


@app.command()
def status(results: ResultsArgument) -> None:
    """Say which runs of an experiment are done, running, failed, interrupted or missing; nothing is changed."""
    from rich.console import Console

    with refusals():
        from bayeshpo.experiment.display import print_status
        from bayeshpo.experiment.status import status as states
        from bayeshpo.experiment.store import Results

        found = Results(results)
        print_status(found.experiment["name"], states(found), Console())


@app.command()
def figures(
    results: ResultsArgument,
    venue: Annotated[
        str, typer.Option(help="Sets the width: neurips, iclr, icml, icml_page, aistats, uai, jmlr, tmlr.")
    ] = "neurips",
) -> None:
    """Draw the figures of an experiment and print their paths."""
    with refusals():
        from bayeshpo.experiment.store import Results

        _draw(Results(results).path, venue)


@app.command()
def tables(results: ResultsArgument) -> None:
    """Write the LaTeX tables of an experiment, and its numbers as macros, and print their paths."""
    with refusals():
        from bayeshpo.analysis.tables import write_tables

        for path in write_tables(results):
            typer.echo(str(path))


@app.command()
def report(results: ResultsArgument) -> None:
    """Write report.html: one page that shows everything on record, and loads nothing; print its path."""
    with refusals():
        from bayeshpo.analysis.report import write_report

        typer.echo(str(write_report(results)))


@app.command()
def compare(
    results: ResultsArgument,
    floor: Annotated[float, typer.Option(help="Normalised regret below which regrets are not told apart.")] = 1e-3,
    rope: Annotated[float, typer.Option(help="Difference of normalised regrets that is practically none.")] = 0.01,
    target: Annotated[float, typer.Option(help="Normalised regret of the time to a target.")] = 0.01,
) -> None:
    """Compare searchers by four Bayesian models, and say what may be claimed."""
    from rich.console import Console

    console = Console()
    with refusals():
        for name, value in {"floor": floor, "rope": rope, "target": target}.items():
            if not 0.0 < value < 1.0:
                raise SpecificationError(f"--{name}: expected a number between 0 and 1, got {value:g}")
        from bayeshpo.analysis.compared import coverage
        from bayeshpo.analysis.comparisons import comparable, print_comparison, write_comparisons

        traces, records = comparable(results), []
        console.print(coverage(traces), highlight=False, markup=False)
        # PyMC takes seconds to start: only now.
        from bayeshpo.analysis.comparison import compare as models

        for found in models(traces, floor=floor, rope=rope, target=target):
            records.append(found.to_record())
            print_comparison(records[-1], console)
        typer.echo(str(write_comparisons(results, records)))


@app.command()
def summary(results: ResultsArgument) -> None:
    """Print the tables of regret and of posterior health of an experiment."""
    from rich.console import Console

    with refusals():
        from bayeshpo.analysis.summary import print_summary
        from bayeshpo.experiment.store import Results

        print_summary(Results(results).path, Console())


@app.command()
def prior(
    surrogate: SurrogateArgument,
    problem: Annotated[str, typer.Option(help="A name of 'bayeshpo list problems': whose space.")],
    output: RecordOption = Path("results/prior"),
) -> None:
    """Print a surrogate's priors on a problem's space, and draw functions from them: does it expect such a surface?"""
    from rich.console import Console

    console = Console()
    with refusals():
        check_name("surrogate", surrogate)
        check_name("problem", problem)
        from bayeshpo.analysis.figures import prior as figure
        from bayeshpo.analysis.figures.style import VENUES
        from bayeshpo.analysis.prior import print_priors
        from bayeshpo.analysis.record import save_record
        from bayeshpo.diagnostics.prior import prior_record
        from bayeshpo.parallel import one_blas_thread
        from bayeshpo.randomness import Streams

        part, space = create("surrogate", surrogate, {}), create("problem", problem, {}).space
        with one_blas_thread():
            record = prior_record(part, space, Streams("prior", 0).generator("prior"))
        print_priors(part.describe(space), f"Priors of {surrogate} on {problem}", console)
        record = {"surrogate": surrogate, "problem": problem} | record
        for path in save_record(record, figure.draw, output, VENUES["neurips"]):
            typer.echo(str(path))


@app.command()
def sbc(
    surrogate: SurrogateArgument,
    arguments: Annotated[str, typer.Option(help="Its arguments, as in experiment files: 'inducing = 8'.")] = "",
    engine: Annotated[str, typer.Option(help="What fits it.")] = "sequential",
    dimension: Annotated[int, typer.Option(help="Numbers in the space.", min=1)] = 2,
    trials: Annotated[int, typer.Option(help="Trials of each simulation.", min=1)] = 20,
    simulations: Annotated[int, typer.Option(help="Simulated studies.", min=20)] = 200,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal ranks.", min=0)] = 0,
    output: RecordOption = Path("results/sbc"),
) -> None:
    """Simulation-based calibration: does the posterior hold what was put into simulated data?"""
    from rich.console import Console
    from rich.progress import track

    console = Console()
    with refusals():
        check_name("surrogate", surrogate)
        check_name("engine", engine)
        from bayeshpo.analysis.calibration import print_calibration
        from bayeshpo.analysis.figures import calibration as figure
        from bayeshpo.analysis.figures.style import VENUES
        from bayeshpo.analysis.record import save_record
        from bayeshpo.diagnostics.calibration import calibrate
        from bayeshpo.parallel import one_blas_thread
        from bayeshpo.randomness import Streams
        from bayeshpo.space import as_space

        space = as_space({f"x{j + 1}": (0.0, 1.0) for j in range(dimension)})
        table = _table(arguments)
        parts = create("surrogate", surrogate, table), space, create("engine", engine, {})
        steps = calibrate(*parts, trials=trials, simulations=simulations, rng=Streams("sbc", seed).generator("sbc"))
        with one_blas_thread():
            *_, last = track(steps, "simulating", total=simulations, console=console, transient=True)
        about = {"surrogate": surrogate, "arguments": table, "engine": engine}
        record = about | {"dimension": dimension, "trials": trials, "seed": seed} | last.to_record()
        print_calibration(record, console)
        for path in save_record(record, figure.draw, output, VENUES["neurips"]):
            typer.echo(str(path))
    if not record["calibrated"]:
        raise typer.Exit(STOPPED)


app.command()(diagnose)
app.command()(posterior)
app.command()(replay)
app.command()(compare_surrogates)


@app.command("list")
def list_parts(
    kind: Annotated[
        str | None,
        typer.Argument(metavar="[KIND]", help=f"{', '.join(f'{name}s' for name in KINDS)}."),
    ] = None,
) -> None:
    """List the parts that experiment files and searchers can name, with a line each, and the problems of suites."""
    kinds = {f"{name}s": entries for name, entries in KINDS.items()}
    with refusals():
        if kind is not None and kind not in kinds:
            raise SpecificationError(unknown_name("kind", kind, kinds))
    for plural, entries in kinds.items():
        if kind in (None, plural):
            typer.echo(plural)
            width = max(map(len, entries))
            for name, entry in entries.items():
                typer.echo(f"  {name:{width}}  {entry.summary}")
                if kind == "suites":
                    typer.echo(fill(", ".join(entry.load()), 100, initial_indent=" " * 6, subsequent_indent=" " * 6))


def _table(arguments: str) -> dict[str, Any]:
    """Arguments that were written as in an experiment's file."""
    try:
        return tomllib.loads(arguments)
    except tomllib.TOMLDecodeError as error:
        raise SpecificationError(f"--arguments: expected lines as 'inducing = 8', got {arguments!r}: {error}") from None


def _execute(plan: Plan, folder: Path, workers: int | None, console: Console) -> bool:
    """Run, summarise and draw; whether some run had to stop."""
    from bayeshpo.experiment.display import describe, display
    from bayeshpo.experiment.runner import run_plan
    from bayeshpo.experiment.store import Results
    from bayeshpo.parallel import available_cores

    with display(plan, console) as progress:
        errors = run_plan(plan, folder, workers=available_cores() if workers is None else workers, display=progress)
    for planned in plan.runs:
        if planned.id in errors:
            typer.echo(f"stopped: {describe(planned)}: {errors[planned.id]}", err=True)
    results = Results(folder)
    if any(run.trials for run in results.runs()):
        from bayeshpo.analysis.summary import print_summary
        from bayeshpo.experiment.collect import collect

        collect(results)
        print_summary(folder, console)
        typer.echo(f"Results: {folder}")
        _draw(folder)
    return bool(errors)


def _draw(folder: Path, venue: str = "neurips") -> None:
    from bayeshpo.analysis.figures import draw_all

    for path in draw_all(folder, venue=venue):
        typer.echo(str(path))


def _say_how_to_resume(console: Console, folder: Path, file: Path, **options: object) -> None:
    from bayeshpo.experiment.store import Results

    kept = sum(len(r.trials) for r in Results(folder).runs()) if (folder / "experiment.json").exists() else 0
    command = ["bayeshpo", "run", str(file)]
    for name, value in options.items():
        command += [] if value is None else [f"--{name}", str(value)]
    # uv says so in the environment of what it runs; without it the command might not be on the path.
    prefix = "uv run " if "UV_RUN_RECURSION_DEPTH" in os.environ else ""
    console.print(f"Interrupted. {kept} finished trials are kept in {folder}; go on with:", soft_wrap=True)
    typer.echo(f"  {prefix}{shlex.join(command)}")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bayeshpo {__version__}")
        raise typer.Exit
