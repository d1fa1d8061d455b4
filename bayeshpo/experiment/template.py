"""The experiment file that `bayeshpo new` writes."""

from __future__ import annotations

import re
from pathlib import Path

from bayeshpo.errors import SpecificationError
from bayeshpo.experiment.spec import NAME

_TEXT = """\
# {name}: an experiment is problems x searchers x seeds. Run it, and go on with it after an interruption, with
#   bayeshpo run {file}

name = "{name}"         # the results go to results/{name}
budget = 20             # trials per run
seeds = 2               # each searcher works on each problem with seeds 0 and 1
# parallel = 4                              # trials of a run that are evaluated at once; one by default
# stop = "seconds(600) | unchanged(10)"     # end a run before its budget is spent
# executor = "dask"                         # local processes by default

# What is searched: one entry per problem; 'bayeshpo list problems' has them all. Further keys are arguments.
[[problems]]
name = "branin"

[[problems]]
name = "mlp_iris"
epochs = 20
budget = 12             # in place of the one above

# What searches: 'bayeshpo list searchers' has them all. Further keys are arguments.
[[searchers]]
name = "random"

[[searchers]]
name = "bayesian"
label = "GP, log EI"    # its name in tables and figures
surrogate = "gp"        # 'bayeshpo list surrogates'
acquisition = "log_ei"  # 'bayeshpo list acquisitions'
# problems = ["branin"] # labels of the problems it works on; all by default
"""


def write_template(name: str) -> Path:
    """Write NAME.toml in the current folder.

    Raises
    ------
    SpecificationError
        If the name is not one for an experiment, or the file is there already.
    """
    if not re.fullmatch(NAME, name):
        raise SpecificationError(f"expected a name of letters, digits, '_', '-' and '.', got {name!r}")
    path = Path(f"{name}.toml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_TEXT.format(name=name, file=path))
    except FileExistsError:
        raise SpecificationError(f"{path} is there already; give another name") from None
    return path
