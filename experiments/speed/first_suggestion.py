"""The default searcher on Hartmann-6 up to its first suggestion from a surrogate; prints seconds as JSON.

Started by `start.py` in a fresh process.
"""

# ruff: noqa: E402 - the import is part of what is timed
import json
import time

_begun = time.perf_counter()
import bayeshpo

_imported = time.perf_counter()
from bayeshpo.problems.synthetic import Hartmann6

study = bayeshpo.Study(Hartmann6().space, seed=0, name="speed")
suggestion = study.ask()
while suggestion.origin == "initial":
    study.tell(suggestion, Hartmann6().function(Hartmann6().space.encode([suggestion.configuration])[0]))
    suggestion = study.ask()
_suggested = time.perf_counter()

from bayeshpo.inference.compilation import COMPILATIONS

# In the background too, while the initial design was evaluated.
compiled = sum(seconds for _, seconds, _ in COMPILATIONS.entries)
print(json.dumps({"import": _imported - _begun, "seconds": _suggested - _begun, "compile": compiled}))
