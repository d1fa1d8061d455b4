"""The parts of a Bayesian searcher, made when they are needed: surrogates, an acquisition, an engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeshpo.errors import SpecificationError
from bayeshpo.history import History
from bayeshpo.problem import Capabilities, check_fidelity
from bayeshpo.registry import ENGINES, check_name, create, entry, load
from bayeshpo.space import SearchSpace

if TYPE_CHECKING:
    from bayeshpo.acquisitions.base import Acquisition
    from bayeshpo.aims import Aims
    from bayeshpo.inference.base import Engine

# The surrogate for large numbers of trials, among the parts.
_BEYOND = "beyond"


class Parts:
    """Parts as they were given: registered names, tables of a name with arguments, or objects.

    Names alone are made into parts on first use, because that imports PyMC.

    Parameters
    ----------
    surrogate, acquisition, engine, beyond
        As `BayesianSearcher` takes them; without an acquisition it is the default for what a study aims at.
    """

    def __init__(self, surrogate: Any, acquisition: Any, engine: Any, beyond: Mapping[str, Any] | None) -> None:
        parts = {"surrogate": surrogate, "engine": engine}
        if acquisition is not None:
            parts["acquisition"] = acquisition
        self._most_trials, beyond_it = _limit(beyond)
        if beyond_it is not None:
            parts[_BEYOND] = beyond_it
        self._given = {kind: _checked(_registered(kind), part) for kind, part in parts.items()}
        self._made: dict[tuple[str, str], Any] = {}

    @property
    def needs_gradient(self) -> bool:
        """Whether a surrogate uses gradients."""
        surrogates = [self._given[kind] for kind in self._surrogates]
        return any((entry("surrogate", s) if isinstance(s, str) else s).uses_gradients for s in surrogates)

    @property
    def engine(self) -> Engine:
        """What fits."""
        return self._part("engine")

    def surrogate(self, history: History) -> Any:
        """That for so many finished trials."""
        return self._part("surrogate" if history.finished.sum() <= self._most_trials else _BEYOND)

    @property
    def surrogates(self) -> list[Any]:
        """All of them, for whatever number of trials."""
        return [self._part(kind) for kind in self._surrogates]

    def acquisition(self, aims: Aims) -> Acquisition:
        """That which was given, or the default for what is aimed at."""
        if "acquisition" in self._given:
            return self._part("acquisition")
        return self._make("acquisition", _default_acquisition(aims))

    def check(self, space: SearchSpace, capabilities: Capabilities) -> None:
        """Refuse a space, engine or acquisition that a surrogate cannot work on, or other aims than an acquisition's.

        Only what may be refused is asked.

        Raises
        ------
        SpecificationError
            Naming what does not go together.
        """
        restricted = self._is_restricted("acquisition")
        if restricted or capabilities.aims.metrics:
            acquisition = self.acquisition(capabilities.aims)
            acquisition.check_aims(capabilities.aims)
            if acquisition.fidelities:
                check_fidelity(f"acquisition '{acquisition.name}'", capabilities, "'log_ei'")
        for kind in self._surrogates:
            if restricted or self._is_restricted(kind):
                from bayeshpo.surrogates.columns import Columns

                self._part(kind).check(Columns.of(space))
                self._check_engine(self._part(kind))
                self.acquisition(capabilities.aims).check(self._part(kind))

    @property
    def _surrogates(self) -> list[str]:
        return [kind for kind in self._given if _registered(kind) == "surrogate"]

    def _is_restricted(self, kind: str) -> bool:
        part = self._given.get(kind)
        return part is not None and (not isinstance(part, str) or entry(_registered(kind), part).restricted)

    def _check_engine(self, surrogate: Any) -> None:
        """Refuse an engine that reports no evidences where they are what weights are made of."""
        if surrogate.needs_evidence and not self.engine.has_evidence:
            known = ", ".join(name for name in ENGINES if load("engine", name).has_evidence)
            raise SpecificationError(
                f"surrogate '{surrogate.name}': expected an engine that reports evidences ({known}) for "
                f"weights='{surrogate.weights}', got '{self.engine.name}'; use weights='loo'"
            )

    def _part(self, kind: str) -> Any:
        return self._make(kind, self._given[kind])

    def _make(self, kind: str, part: Any) -> Any:
        """A part itself, or what its name makes, once."""
        if not isinstance(part, str):
            return part
        if (kind, part) not in self._made:
            self._made[kind, part] = create(_registered(kind), part, {})
        return self._made[kind, part]


def _limit(beyond: Mapping[str, Any] | None) -> tuple[float, Any]:
    """How many finished trials the first surrogate is for, and the surrogate for more, if there is one."""
    if beyond is None:
        return np.inf, None
    trials = beyond.get("trials") if isinstance(beyond, Mapping) and set(beyond) == {"trials", "surrogate"} else None
    if not isinstance(trials, int) or isinstance(trials, bool) or trials < 1:
        raise SpecificationError(
            f"expected beyond with a whole number of trials >= 1 and a surrogate, got {beyond!r}; "
            'for example {"trials": 400, "surrogate": "sparse"}'
        )
    return trials, beyond["surrogate"]


def _checked(kind: str, part: Any) -> Any:
    """A part that was given: a registered name as it is, an object, or what a table of a name and arguments makes."""
    if isinstance(part, str):
        check_name(kind, part)
    if not isinstance(part, Mapping):
        return part
    name, arguments = part.get("name"), {key: value for key, value in part.items() if key != "name"}
    if not isinstance(name, str):
        raise SpecificationError(f"expected a table with the {kind}'s name and its arguments, got {part!r}")
    return create(kind, name, arguments)


def _default_acquisition(aims: Aims) -> str:
    if aims.objectives:
        return "hypervolume"
    return "constrained_ei" if aims.constraints else "log_ei"


def _registered(part: str) -> str:
    return "surrogate" if part == _BEYOND else part
