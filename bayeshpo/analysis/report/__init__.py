"""The HTML report of an experiment: one file that needs nothing else."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from bayeshpo.analysis.report.page import sections_of
from bayeshpo.analysis.report.svg import palette, pictures
from bayeshpo.experiment.store import Results


def write_report(folder: str | Path) -> Path:
    """Write ``report.html`` into a results folder and return its path.

    The page holds its figures, its style and its script, and loads nothing. The same results give the same bytes.

    Parameters
    ----------
    folder
        A results folder, whole or not, as `bayeshpo run` made it.

    Raises
    ------
    SpecificationError
        If the folder holds no results.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    results = Results(folder)
    sections = sections_of(results)
    loader = PackageLoader("bayeshpo.analysis.report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = environment.get_template("report.html.j2").render(
        title=results.experiment["name"],
        sections=sections,
        palette=palette(pictures(sections)),
        css=_asset("report.css"),
        js=_asset("report.js"),
        footer=_footer(results),
    )
    path = results.path / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


def _asset(name: str) -> Markup:
    """A file of the package that stands in the page as it is."""
    return Markup((files("bayeshpo.analysis.report") / "templates" / name).read_text(encoding="utf-8"))


def _footer(results: Results) -> str:
    versions = results.experiment.get("versions", {})
    made = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"Made by bayeshpo report. Results made with {made}." if made else "Made by bayeshpo report."
