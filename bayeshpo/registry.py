"""Names of parts: where each lives and one line on what it is. Nothing is imported until it is asked for.

A part of one's own is named by where it is, ``module:attribute``: a class or function that makes it, or the part.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayeshpo.errors import SpecificationError, one_line, unknown_name


@dataclass(frozen=True)
class Entry:
    """A registered part."""

    target: str
    summary: str
    # Whether it cannot work on every space, so that it must be asked before anything runs.
    restricted: bool = False
    # Whether a surrogate uses gradients, so that trials should bring them.
    uses_gradients: bool = False
    # The extra of this package that it needs.
    extra: str | None = None

    def load(self) -> Any:
        """Import the class or function.

        Raises
        ------
        SpecificationError
            If a package of its extra is not installed, with the command that installs it.
        """
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if self.extra is None:
                raise
            raise SpecificationError(
                f"{error.name} is not installed; install it with: pip install 'bayeshpo[{self.extra}]'"
            ) from None


PROBLEMS = {
    "branin": Entry("bayeshpo.problems.synthetic:Branin", "Branin function, d = 2, known optimum"),
    "hartmann3": Entry("bayeshpo.problems.synthetic:Hartmann3", "Hartmann function, d = 3, known optimum"),
    "hartmann6": Entry("bayeshpo.problems.synthetic:Hartmann6", "Hartmann function, d = 6, known optimum"),
    "levy": Entry("bayeshpo.problems.synthetic:Levy", "ripples over a bowl, d = 4 or another dimension"),
    "ackley": Entry("bayeshpo.problems.synthetic:Ackley", "funnel with many dents, d = 5 or another dimension"),
    "rosenbrock": Entry("bayeshpo.problems.synthetic:Rosenbrock", "curved valley, d = 3 or another dimension"),
    "bbob": Entry("bayeshpo.problems.bbob:BBOB", "one of the 24 BBOB functions, with instances (extra: bbob)"),
    "tree": Entry("bayeshpo.problems.tree:Tree", "parabolas on a tree of conditions, known optimum"),
    "gramacy": Entry("bayeshpo.problems.several:Gramacy", "plane above two limits, d = 2, known optimum"),
    "branin_currin": Entry("bayeshpo.problems.several:BraninCurrin", "two objectives, d = 2"),
    "dtlz2": Entry("bayeshpo.problems.several:DTLZ2", "three objectives, d = 4, known front"),
    "forest_digits": Entry(
        "bayeshpo.problems.forest_digits:ForestDigits", "error and size of a random forest on digits, two objectives"
    ),
    "svc_digits": Entry("bayeshpo.problems.svc_digits:SVCDigits", "5-fold accuracy of an SVC on digits"),
    "mlp_iris": Entry("bayeshpo.problems.mlp_iris:MLPIris", "5-fold cross-entropy of a small network on iris"),
    "logistic_breast_cancer": Entry(
        "bayeshpo.problems.logistic_breast_cancer:LogisticBreastCancer",
        "validation loss of penalised logistic regression, with its exact hypergradient",
    ),
    "softmax_digits": Entry(
        "bayeshpo.problems.softmax_digits:SoftmaxDigits",
        "validation loss of softmax regression, a penalty a class, with its exact hypergradient",
    ),
    "random_forest": Entry("bayeshpo.problems.models.random_forest:RandomForest", "5-fold loss of a random forest"),
    "gradient_boosting": Entry(
        "bayeshpo.problems.models.gradient_boosting:GradientBoosting", "5-fold loss of boosted trees"
    ),
    "neighbours": Entry("bayeshpo.problems.models.neighbours:Neighbours", "5-fold loss of k nearest neighbours"),
    "decision_tree": Entry("bayeshpo.problems.models.decision_tree:DecisionTree", "5-fold loss of a decision tree"),
    "support_vectors": Entry(
        "bayeshpo.problems.models.support_vectors:SupportVectors", "5-fold error of support vector regression"
    ),
    "linear": Entry("bayeshpo.problems.models.linear:Linear", "5-fold loss of a linear model by stochastic gradients"),
    "pipeline": Entry("bayeshpo.problems.models.pipeline:Pipeline", "5-fold loss of a choice of classifiers"),
    "table": Entry("bayeshpo.problems.tables:Table", "table of repeated trainings with run times (extra: tabular)"),
    "taskset": Entry("bayeshpo.problems.curves:TaskSet", "learning curves of text classifiers (needs BAYESHPO_DATA)"),
    "lcbench": Entry("bayeshpo.problems.curves:LCBench", "learning curves on tabular data (needs BAYESHPO_DATA)"),
}

WRAPPERS = {
    "noise": Entry("bayeshpo.problems.wrappers.noise:Noise", "independent normal noise"),
    "outliers": Entry("bayeshpo.problems.wrappers.outliers:Outliers", "a share of values far worse, with heavy tails"),
    "failures": Entry("bayeshpo.problems.wrappers.failures:Failures", "trials that fail, by chance or in a region"),
    "delay": Entry("bayeshpo.problems.wrappers.delay:Delay", "seconds that are pretended"),
    "shift": Entry("bayeshpo.problems.wrappers.shift:Shift", "optimum elsewhere: part of each float's range"),
    "permutation": Entry("bayeshpo.problems.wrappers.permutation:Permutation", "floats and choices change places"),
    "idle": Entry("bayeshpo.problems.wrappers.idle:Idle", "hyperparameters that do nothing"),
    "normalisation": Entry(
        "bayeshpo.problems.wrappers.normalisation:Normalisation", "loss in units of random search's median"
    ),
}

SUITES = {
    "synthetic": Entry("bayeshpo.problems.suites:SYNTHETIC", "functions of known optimum, BBOB's among them"),
    "sklearn": Entry("bayeshpo.problems.suites:SKLEARN", "eight model families on scikit-learn's data sets"),
    "penalties": Entry("bayeshpo.problems.suites:PENALTIES", "penalties of regressions, with exact derivatives"),
    "tabular": Entry("bayeshpo.problems.suites:TABULAR", "HPOlib, HPOBench and NAS-Bench-201, with run times"),
    "curves": Entry("bayeshpo.problems.suites:CURVES", "TaskSet and LCBench, with learning curves"),
    "noisy": Entry("bayeshpo.problems.suites:NOISY", "noise and outliers"),
    "failing": Entry("bayeshpo.problems.suites:FAILING", "trials that fail, by chance or in a region"),
    "conditional": Entry("bayeshpo.problems.suites:CONDITIONAL", "hyperparameters that depend on others"),
    "multi_objective": Entry("bayeshpo.problems.suites:MULTI_OBJECTIVE", "two and three objectives"),
    "constrained": Entry("bayeshpo.problems.suites:CONSTRAINED", "metrics that have to keep to limits"),
}

SEARCHERS = {
    "random": Entry("bayeshpo.searchers.random:RandomSearcher", "independent draws from the space"),
    "sobol": Entry("bayeshpo.searchers.sobol:SobolSearcher", "scrambled Sobol sequence"),
    "grid": Entry("bayeshpo.searchers.grid:GridSearcher", "all configurations of a finite space, shuffled"),
    "finite_difference": Entry(
        "bayeshpo.searchers.gradient.finite_difference:FiniteDifferenceSearcher",
        "projected gradient descent on central differences, every evaluation counted",
    ),
    "hypergradient": Entry(
        "bayeshpo.searchers.gradient.hypergradient:HypergradientSearcher",
        "projected gradient descent on the problem's own gradient",
    ),
    "successive_halving": Entry(
        "bayeshpo.searchers.successive_halving:SuccessiveHalvingSearcher",
        "many short trainings, of which the better ones go on (asynchronous)",
    ),
    "bayesian": Entry(
        "bayeshpo.searchers.bayesian:BayesianSearcher", "full posterior of a surrogate, acquisition over its draws"
    ),
    "sklearn_random": Entry(
        "bayeshpo.experiment.peers.sklearn:SklearnRandomSearcher", "the draws of scikit-learn's RandomizedSearchCV"
    ),
    "sklearn_grid": Entry(
        "bayeshpo.experiment.peers.sklearn:SklearnGridSearcher", "the order of scikit-learn's GridSearchCV"
    ),
    "optuna": Entry("bayeshpo.experiment.peers.optuna:OptunaSearcher", "Optuna's TPE, GP or CMA-ES", extra="optuna"),
    "smac": Entry(
        "bayeshpo.experiment.peers.smac:SMACSearcher", "SMAC3's random forest or Gaussian process", extra="smac"
    ),
    "external": Entry(
        "bayeshpo.experiment.peers.external:ExternalSearcher", "a library in a process of its own, by JSON lines"
    ),
}

SURROGATES = {
    "gp": Entry("bayeshpo.surrogates.gp:GaussianProcess", "Matern-5/2 ARD Gaussian process"),
    "sparse": Entry("bayeshpo.surrogates.sparse:SparseGaussianProcess", "the same on inducing points, for many trials"),
    "hsgp": Entry(
        "bayeshpo.surrogates.hsgp:HilbertSpaceGaussianProcess",
        "the same on basis functions, for D <= 3",
        restricted=True,
    ),
    "saas": Entry("bayeshpo.surrogates.saas:SAASGaussianProcess", "few of many hyperparameters matter"),
    "warped": Entry(
        "bayeshpo.surrogates.warped:WarpedGaussianProcess",
        "gp with the numbers' scales learnt",
        restricted=True,
    ),
    "warped_outcome": Entry(
        "bayeshpo.surrogates.warped_outcome:WarpedOutcomeGaussianProcess", "gp with the losses' scale learnt"
    ),
    "additive": Entry("bayeshpo.surrogates.additive:AdditiveGaussianProcess", "sum of functions of one hyperparameter"),
    "heteroscedastic": Entry(
        "bayeshpo.surrogates.heteroscedastic:HeteroscedasticGaussianProcess", "gp with noise that varies over the space"
    ),
    "known_noise": Entry(
        "bayeshpo.surrogates.known_noise:KnownNoiseGaussianProcess", "gp that is told the losses' standard errors"
    ),
    "censored": Entry(
        "bayeshpo.surrogates.censored:CensoredGaussianProcess", "gp that is told bounds, where no more is known"
    ),
    "student_t": Entry("bayeshpo.surrogates.student_t:StudentTProcess", "gp with heavy-tailed noise, for outliers"),
    "multi_task": Entry("bayeshpo.surrogates.multi_task:MultiTaskGaussianProcess", "gp that earlier studies inform"),
    "derivative": Entry(
        "bayeshpo.surrogates.derivative:DerivativeGaussianProcess",
        "gp that is told gradients, where the problem gives them",
        uses_gradients=True,
    ),
    "learning_curve": Entry(
        "bayeshpo.surrogates.learning_curve:LearningCurveGaussianProcess",
        "gp that learning curves inform, of stopped trials too",
    ),
    "horseshoe": Entry(
        "bayeshpo.surrogates.horseshoe:HorseshoeRegression", "quadratic regression of which few terms matter"
    ),
    "bayesian_neural_network": Entry(
        "bayeshpo.surrogates.neural_network:BayesianNeuralNetwork",
        "neural network of infinite width: steep in places, flat elsewhere",
    ),
    "bart": Entry(
        "bayeshpo.surrogates.trees:AdditiveTrees", "sum of infinitely many regression trees: steps along the numbers"
    ),
    "stacked": Entry(
        "bayeshpo.inference.stacked:StackedSurrogate",
        "mixture of several, weighed by how well they predict",
        restricted=True,
    ),
}

ACQUISITIONS = {
    "log_ei": Entry("bayeshpo.acquisitions.log_ei:LogExpectedImprovement", "log expected improvement (default)"),
    "noisy_ei": Entry(
        "bayeshpo.acquisitions.noisy_ei:NoisyExpectedImprovement", "improvement over a best trial that noise hides"
    ),
    "cost_ei": Entry(
        "bayeshpo.acquisitions.cost_ei:ExpectedImprovementPerSecond", "log expected improvement per second"
    ),
    "freeze_thaw": Entry(
        "bayeshpo.acquisitions.freeze_thaw:FreezeThaw",
        "improvement per cost of trainings that are stopped and taken up again",
        restricted=True,
    ),
    "ei": Entry("bayeshpo.acquisitions.ei:ExpectedImprovement", "expected improvement, which underflows"),
    "pi": Entry("bayeshpo.acquisitions.pi:ProbabilityOfImprovement", "log probability of improving by a margin"),
    "ucb": Entry("bayeshpo.acquisitions.ucb:UpperConfidenceBound", "optimistic bound, of each draw or of the marginal"),
    "thompson": Entry("bayeshpo.acquisitions.thompson:ThompsonSampling", "lowest place of one function drawn"),
    "max_value_entropy": Entry(
        "bayeshpo.acquisitions.max_value_entropy:MaxValueEntropy",
        "information about the minimum's value",
        restricted=True,
    ),
    "joint_entropy": Entry(
        "bayeshpo.acquisitions.joint_entropy:JointEntropy",
        "information about the minimum's place and value",
        restricted=True,
    ),
    "optimum_entropy": Entry(
        "bayeshpo.acquisitions.optimum_entropy:OptimumEntropy", "information about the minimum's place"
    ),
    "knowledge_gradient": Entry(
        "bayeshpo.acquisitions.knowledge_gradient:KnowledgeGradient",
        "how much lower the lowest mean will be",
        restricted=True,
    ),
    "scorebo": Entry(
        "bayeshpo.acquisitions.scorebo:SelfCorrecting", "where draws disagree, as far as the minimum is concerned"
    ),
    "bald": Entry("bayeshpo.acquisitions.bald:Disagreement", "information about the hyperparameters"),
    "constrained_ei": Entry(
        "bayeshpo.acquisitions.constrained_ei:ConstrainedExpectedImprovement",
        "log expected improvement within limits (default with constraints)",
    ),
    "hypervolume": Entry(
        "bayeshpo.acquisitions.hypervolume:ExpectedHypervolumeImprovement",
        "hypervolume gained, of several objectives (their default)",
        restricted=True,
    ),
    "parego": Entry(
        "bayeshpo.acquisitions.parego:ChebyshevImprovement",
        "improvement of several objectives, weighed at random",
        restricted=True,
    ),
    "variance": Entry("bayeshpo.acquisitions.variance:PredictiveVariance", "where least is known of the surface"),
}

ENGINES = {
    "sequential": Entry(
        "bayeshpo.inference.sequential:Sequential", "population of draws carried from trial to trial (default)"
    ),
    "nuts": Entry("bayeshpo.inference.nuts:NUTS", "no-U-turn sampler, fitted anew at each n"),
    "smc": Entry("bayeshpo.inference.smc:SMC", "population tempered from the prior, fitted anew at each n"),
    "pathfinder": Entry("bayeshpo.inference.pathfinder:Pathfinder", "Gaussians along quasi-Newton paths, weighed"),
    "advi": Entry("bayeshpo.inference.advi:ADVI", "closest Gaussian, mean field or full rank, weighed"),
    "laplace": Entry("bayeshpo.inference.laplace:Laplace", "Gaussian at the mode, weighed"),
    "map": Entry("bayeshpo.inference.map:MAP", "point estimate: the mode on the constrained scale"),
    "prior": Entry("bayeshpo.inference.prior:Prior", "draws of the prior, whatever the data"),
}

RULES = {
    "budget": Entry("bayeshpo.stopping:Budget", "after so many trials"),
    "seconds": Entry("bayeshpo.stopping:Seconds", "after so many seconds of proposing and evaluating"),
    "regret_below": Entry("bayeshpo.stopping:RegretBelow", "when little is probably left to be gained"),
    "work": Entry("bayeshpo.stopping:Work", "when so much work is done, in the problem's own unit"),
    "unchanged": Entry("bayeshpo.stopping:Unchanged", "when so many trials have left the recommendation as it was"),
}

KINDS = {
    "problem": PROBLEMS,
    "suite": SUITES,
    "wrapper": WRAPPERS,
    "searcher": SEARCHERS,
    "surrogate": SURROGATES,
    "acquisition": ACQUISITIONS,
    "engine": ENGINES,
    "rule": RULES,
}


def load(kind: str, name: str) -> Any:
    """What is registered under a name, or one's own.

    Raises
    ------
    SpecificationError
        If there is none, with the nearest valid name.
    """
    return entry(kind, name).load()


def entry(kind: str, name: str) -> Entry:
    """Of a name; that of a part of one's own asks the part.

    Raises
    ------
    SpecificationError
        If there is none, with the nearest valid name.
    """
    if ":" in name:
        return Entry(name, "", restricted=True, uses_gradients=getattr(_own(kind, name), "uses_gradients", False))
    if name not in KINDS[kind]:
        raise SpecificationError(unknown_name(kind, name, KINDS[kind]))
    return KINDS[kind][name]


def check_name(kind: str, name: str) -> None:
    """Refuse a name that there is not, see `load`; what is registered is not imported."""
    entry(kind, name)


def parameters(part: Any) -> dict[str, inspect.Parameter]:
    """Arguments of what makes a part; none, if it is the part itself."""
    return dict(inspect.signature(part).parameters) if _makes(part) else {}


def create(kind: str, name: str, arguments: dict[str, Any]) -> Any:
    """A part by its name: an instance, or one's own object itself.

    Raises
    ------
    SpecificationError
        If the name is unknown or the part does not take an argument.
    """
    part = load(kind, name)
    valid = parameters(part)
    for argument in arguments:
        if argument not in valid:
            raise SpecificationError(unknown_name(f"argument of {kind} '{name}'", argument, valid or ["(none)"]))
    needed = [p.name for p in valid.values() if p.default is p.empty]
    if missing := [argument for argument in needed if argument not in arguments]:
        raise SpecificationError(f"{kind} '{name}': expected the argument '{missing[0]}', got none")
    return part(**arguments) if _makes(part) else part


def _makes(part: Any) -> bool:
    return inspect.isclass(part) or inspect.isroutine(part)


def _own(kind: str, name: str) -> Any:
    """A part of one's own; modules are looked for in the working directory too, as by ``python -m``."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        return Entry(name, "").load()
    except (ModuleNotFoundError, AttributeError) as error:
        raise SpecificationError(
            f"{kind} '{name}': expected module:attribute of a module in {here} or an installed one; {one_line(error)}"
        ) from None
