"""Which model, and with which hyperparameters (Thornton, Hutter, Hoos and Leyton-Brown, 2013)."""

from __future__ import annotations

from typing import Any

from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)

from bayeshpo.problems.models.cross_validation import CLASSIFICATION, CrossValidated, conditional
from bayeshpo.space import Configuration, SearchSpace


class Pipeline(CrossValidated):
    """A choice of three classifiers, each with two hyperparameters, after principal components or none."""

    family = "pipeline"
    suited = CLASSIFICATION

    def _space(self) -> SearchSpace:
        space = ConfigurationSpace()
        reduction = CategoricalHyperparameter("reduction", ("none", "components"))
        model = CategoricalHyperparameter("model", ("logistic", "neighbours", "tree"))
        space.add(reduction, model)
        conditional(space, UniformFloatHyperparameter("variance_kept", 0.3, 0.99), reduction, "components")
        conditional(space, UniformFloatHyperparameter("C", 1e-4, 1e2, log=True), model, "logistic")
        conditional(space, CategoricalHyperparameter("class_weight", ("equal", "balanced")), model, "logistic")
        conditional(space, UniformIntegerHyperparameter("n_neighbors", 1, 60, log=True), model, "neighbours")
        conditional(space, UniformFloatHyperparameter("p", 1.0, 5.0, log=True), model, "neighbours")
        conditional(space, UniformIntegerHyperparameter("max_depth", 1, 12), model, "tree")
        conditional(space, UniformFloatHyperparameter("ccp_alpha", 1e-5, 0.1, log=True), model, "tree")
        return SearchSpace(space)

    def _model(self, configuration: Configuration, seed: int) -> Any:
        from sklearn.decomposition import PCA
        from sklearn.pipeline import make_pipeline

        parts = [_classifier(configuration)]
        if configuration["reduction"] == "components":
            parts.insert(0, PCA(n_components=configuration["variance_kept"], svd_solver="full"))
        return make_pipeline(*parts)


def _classifier(configuration: Configuration) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.tree import DecisionTreeClassifier

    match configuration["model"]:
        case "logistic":
            weight = None if configuration["class_weight"] == "equal" else "balanced"
            return LogisticRegression(C=configuration["C"], class_weight=weight, max_iter=1000)
        case "neighbours":
            return KNeighborsClassifier(configuration["n_neighbors"], p=configuration["p"], algorithm="ball_tree")
        case _:
            depth, pruning = configuration["max_depth"], configuration["ccp_alpha"]
            return DecisionTreeClassifier(max_depth=depth, ccp_alpha=pruning, random_state=0)
