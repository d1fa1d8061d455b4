"""What figures of searchers over problems are made of."""

from __future__ import annotations

from bayeshpo.analysis.traces import Traces

# Why there may be no such figure.
NOTHING = "no two searchers have come to their end on every problem with one seed"


def comparable(traces: Traces) -> Traces | None:
    """The part that can be compared; None if it has not two searchers."""
    compared = traces.comparable()
    return compared if len(compared.searchers) > 1 and compared.problems else None
