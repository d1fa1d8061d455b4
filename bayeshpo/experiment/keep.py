"""Which posteriors of a run are kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from bayeshpo.history import History


def _checked(value: Any) -> Any:
    if value in ("last", "all", "none") or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise PydanticCustomError("keep", "'last', 'all', 'none' or a number of trials")


# A number stands for each so manieth; the last is kept with all of them but "none".
Keep = Annotated[Literal["last", "all", "none"] | int, BeforeValidator(_checked)]


def is_due(keep: Keep, history: History) -> bool:
    """Whether the posterior given these trials is to be kept although more may follow: after the initial design."""
    if keep in ("last", "none") or not history.trials or history.trials[-1].suggestion.origin == "initial":
        return False
    return keep == "all" or len(history) % int(keep) == 0
