"""Contract suites: what every part of a kind promises, as checks that anyone's own part can be put through."""

from bayeshpo.testing.acquisition_under_test import AcquisitionUnderTest
from bayeshpo.testing.acquisitions import ACQUISITION_PROMISES, check_acquisition
from bayeshpo.testing.problems import PROBLEM_PROMISES, check_problem
from bayeshpo.testing.searchers import SEARCHER_PROMISES, check_searcher
from bayeshpo.testing.surrogates import MIXTURE_PROMISES, SURROGATE_PROMISES, check_surrogate
from bayeshpo.testing.under_test import SurrogateUnderTest

__all__ = [
    "ACQUISITION_PROMISES",
    "MIXTURE_PROMISES",
    "PROBLEM_PROMISES",
    "SEARCHER_PROMISES",
    "SURROGATE_PROMISES",
    "AcquisitionUnderTest",
    "SurrogateUnderTest",
    "check_acquisition",
    "check_problem",
    "check_searcher",
    "check_surrogate",
]
