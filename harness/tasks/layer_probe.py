"""Layer probe: linear classifiers on every layer's hidden states (docs/method.md, layer_probe).

Hidden states are pooled over positions as the data set's card fixed beforehand and given to
logistic regression, layer by layer, as in Chen et al. 2020, "Generative Pretraining from
Pixels". The middle layer is fixed beforehand too; the chosen one is the best on the
validation part of train. The control is the same network with random weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.contract.compressor import Compressor, Represents, hyperparameters
from harness.data.dataset import Dataset
from harness.errors import NotApplicableError
from harness.records.score import COMMON_DIMENSION, Control, Score, Variant
from harness.tasks.classify import require_labels
from harness.tasks.column import LABEL_READERS, Column
from harness.tasks.outcome import Judgement, Measured
from harness.tasks.pooling import Pooled, pooled_layers
from harness.tasks.probing.logistic import Floats
from harness.tasks.probing.scores import (
    Features,
    few_label_scores,
    in_common_dimension,
    label_code_scores,
    permuted_score,
    probe_scores,
)
from harness.tasks.task import Evidence, Inputs, Task

VALIDATION = "validation_balanced_accuracy"
LAYERS, RANDOM_LAYERS = "layers", "random_layers"
"""Facts: the names of layers, first to last; of the random network, or None."""

Role = Literal["", "first", "middle", "last"]


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Additions that cost time.

    The first three are of the fixed middle layer alone, so that no label chooses it.

    Attributes:
        few_labels: accuracy from 1, 5, 10 and 50 labels per class, over ten draws.
        label_code: label code length and the entropy of the labels.
        permuted: the control with permuted labels.
        random_init: the control, at as many layers. In a ladder it is the same for all
            rungs; a rung of 0 steps is the control itself.
    """

    few_labels: bool = True
    label_code: bool = True
    permuted: bool = True
    random_init: bool = True


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Pooled states of one layer: its name, and (n_train, k) and (n_test, k)."""

    name: str
    train: Pooled
    test: Pooled


@dataclass(frozen=True, kw_only=True)
class ProbedLayers:
    """Probes of all layers of one network, in the order of the layers.

    Attributes:
        names: of the layers.
        scores: per layer, each with the layer's name in its variant.
        credit: per layer, shape (n_test, n_classes).
    """

    names: tuple[str, ...]
    scores: Mapping[str, list[Score]]
    credit: Mapping[str, Floats]

    @property
    def middle(self) -> str:
        """The middle layer; the earlier of two."""
        return self.names[middle_of(len(self.names))]

    @property
    def first(self) -> str:
        """The first layer."""
        return self.names[0]

    @property
    def last(self) -> str:
        """The last layer."""
        return self.names[-1]

    @property
    def best(self) -> str:
        """The best on the validation part; the middle one where that part is empty."""
        values = [
            score.value
            for name in self.names
            for score in self.scores[name]
            if score.metric == VALIDATION and not score.variant.n_dimensions
        ]
        return self.names[int(np.argmax(values))] if values else self.middle

    def in_role(self, name: str, role: Role) -> list[Score]:
        """Return a layer's scores under its role; "" is that of the chosen layer."""
        where = f"layer {name}, {self.names.index(name) + 1} of {len(self.names)}"
        return [
            replace(
                score,
                variant=replace(score.variant, layer="", role=role),
                note=f"{score.note}; {where}" if score.note else where,
            )
            for score in self.scores[name]
        ]

    def in_roles(self) -> list[Score]:
        """Return the scores of the chosen, the first, the middle and the last layer."""
        return (
            self.in_role(self.best, "")
            + self.in_role(self.first, "first")
            + self.in_role(self.middle, "middle")
            + self.in_role(self.last, "last")
        )

    def by_layer(self) -> list[Score]:
        """Return the balanced accuracy of every layer, on test and on validation."""
        return [
            score
            for name in self.names
            for score in self.scores[name]
            if score.metric in ("balanced_accuracy", VALIDATION)
        ]


def measure(inputs: Inputs, parameters: Parameters) -> Measured:
    """Return the pooled hidden states of all layers; also of the random network, if asked.

    Raises:
        NotApplicableError: there are no labels, the compressor shows no hidden states, or
            samples are not images of the card's shape where pooling is by place.
        ConformanceError: hidden states do not have the shape of the contract.
    """
    require_labels(inputs.dataset)
    arrays, names = _pooled(inputs.fitted, inputs.dataset, LAYERS)
    facts: dict[str, Any] = {LAYERS: names, RANDOM_LAYERS: None}
    # The control shows how much is due to architecture and pooling, without training.
    network = random_network(inputs) if parameters.random_init else None
    if network is not None:
        states, facts[RANDOM_LAYERS] = _pooled(network, inputs.dataset, RANDOM_LAYERS)
        arrays |= states
    return Measured(arrays=arrays, facts=facts)


def _pooled(
    model: Compressor, dataset: Dataset, prefix: str
) -> tuple[dict[str, Pooled], list[str]]:
    """Return the pooled states of both splits by array name, and the names of layers."""
    if not isinstance(model, Represents):
        raise NotApplicableError(f"{model.name} has no hidden states to probe")
    layers = pooled_layers(model, dataset)
    arrays = {
        f"{prefix}_{split}_{i}": states
        for i, both in enumerate(layers.values())
        for split, states in zip(("train", "test"), both, strict=True)
    }
    return arrays, list(layers)


def random_network(inputs: Inputs) -> Compressor | None:
    """Return the same network after 0 steps: the weights from which its training starts.

    None where the class has no ladder over steps, by which a model declares them.
    """
    unfitted, dataset = inputs.unfitted, inputs.dataset
    if unfitted.ladder_field != "steps" or "steps" not in hyperparameters(unfitted):
        return None
    # Only `fit` initialises weights, even those of 0 steps.
    corpus = [sample + dataset.separator for sample in dataset.train.samples]
    changes: dict[str, Any] = {"steps": 0}
    return replace(unfitted, **changes).fit(corpus, seed=inputs.seed)


def judge(evidence: Evidence, parameters: Parameters) -> Judgement:
    """Return the scores of all layers, and the pooled states of the middle one.

    Variants: no role for the chosen layer, "first", "middle", "last", or the name of a layer;
    `n_dimensions` in the common dimension; `control` of the random network; with grid
    pooling `pooling` "mean" for the same layers pooled by the mean alone.
    """
    dataset = evidence.dataset
    layers = _layers(evidence, LAYERS)
    probed = _probe_layers(evidence, layers)
    middle = layers[middle_of(len(layers))]
    scores = probed.in_roles() + probed.by_layer()
    scores += _label_reading_scores(evidence, middle, parameters)
    # Also without the quarters, to show how much pooling by place adds.
    if dataset.pooling == "grid2x2":
        scores += _mean_pooled(evidence, layers)
    if parameters.random_init:
        scores = _with_random_init(scores, evidence)
    arrays: dict[str, NDArray[Any]] = {
        "credit": probed.credit[probed.best],
        "credit_middle": probed.credit[probed.middle],
        "credit_last": probed.credit[probed.last],
        "labels": dataset.test.labels,
        "features_train": middle.train,
        "features_test": middle.test,
        "labels_train": dataset.train.labels,
    }
    return Judgement(scores=tuple(scores), arrays=arrays)


def middle_of(n_layers: int) -> int:
    """Return the index of the middle of n layers; of two middle ones the earlier."""
    return (n_layers - 1) // 2


def _layers(evidence: Evidence, prefix: str) -> list[Layer]:
    arrays = evidence.arrays
    return [
        Layer(
            name=str(name),
            train=arrays[f"{prefix}_train_{i}"],
            test=arrays[f"{prefix}_test_{i}"],
        )
        for i, name in enumerate(evidence.facts[prefix])
    ]


def _probe_layers(
    evidence: Evidence,
    layers: Sequence[Layer],
    *,
    control: Control = "",
) -> ProbedLayers:
    """Return the probes of all layers."""
    scores, credit = {}, {}
    for layer in layers:
        features = _features(
            evidence, layer, Variant(layer=layer.name, control=control)
        )
        of_layer, arrays = probe_scores(
            evidence.dataset, features, seed=evidence.seed, extras=False
        )
        scores[layer.name] = _with_common_dimension(of_layer)
        credit[layer.name] = arrays[f"credit{features.variant.words}"]
    names = tuple(layer.name for layer in layers)
    return ProbedLayers(names=names, scores=scores, credit=credit)


def _label_reading_scores(
    evidence: Evidence, middle: Layer, parameters: Parameters
) -> list[Score]:
    """Return the optional scores of the middle layer, which read labels of train once more.

    Few labels and label code are in the common dimension, so that all models compare; a
    layer with no more features than that is read as it is.
    """
    dataset, seed = evidence.dataset, evidence.seed
    features = _features(evidence, middle, Variant(role="middle"))
    common = in_common_dimension(features)
    variant = replace(common.variant, n_dimensions=COMMON_DIMENSION)
    common = replace(common, variant=variant)
    scores: list[Score] = []
    if parameters.few_labels:
        scores += few_label_scores(dataset, common, seed=seed)
    if parameters.label_code:
        scores += label_code_scores(dataset, common, seed=seed)
    if parameters.permuted:
        scores.append(permuted_score(dataset, features, seed=seed))
    return scores


def _features(evidence: Evidence, layer: Layer, variant: Variant) -> Features:
    # Kept in float32 to save space; the probe solves in float64.
    train, test = layer.train.astype(np.float64), layer.test.astype(np.float64)
    if not np.ptp(train, axis=0).any():  # a dead layer: nothing to project, chance
        train, test = train[:, :1], test[:, :1]
    is_random = variant.control == "random_init"
    return Features(
        train=train,
        labels=evidence.dataset.train.labels,
        test=test,
        state="random weights" if is_random else "fit(train)",
        variant=variant,
    )


def _with_common_dimension(scores: list[Score]) -> list[Score]:
    """Return the scores with those in the common dimension, so that all models compare.

    A layer with no more features than that is not projected: its scores are repeated.
    """
    if any(score.variant.n_dimensions for score in scores):
        return scores
    return scores + [
        replace(
            score,
            variant=replace(score.variant, n_dimensions=COMMON_DIMENSION),
            note=f"{score.note}; features as they are".removeprefix("; "),
        )
        for score in scores
    ]


def _mean_pooled(evidence: Evidence, layers: Sequence[Layer]) -> list[Score]:
    """Return the scores without the quarters, for the middle and the last layer."""
    roles: tuple[tuple[Role, Layer], ...] = (
        ("middle", layers[middle_of(len(layers))]),
        ("last", layers[-1]),
    )
    scores = []
    for role, layer in roles:
        width = layer.train.shape[1] // 5  # the mean comes first
        means = replace(layer, train=layer.train[:, :width], test=layer.test[:, :width])
        features = _features(evidence, means, Variant(role=role, pooling="mean"))
        of_layer, _ = probe_scores(
            evidence.dataset, features, seed=evidence.seed, extras=False
        )
        scores += [s for s in of_layer if s.metric == "balanced_accuracy"]
    return scores


def _with_random_init(scores: list[Score], evidence: Evidence) -> list[Score]:
    """Return the scores with the control's balanced accuracies, or a note on their absence."""
    if evidence.facts[RANDOM_LAYERS] is None:
        name = evidence.subject.name
        why = f"no random-init control: {name} does not count steps"
        return [
            replace(score, note=f"{score.note}; {why}")
            if score.metric == "balanced_accuracy" and score.variant.role == "middle"
            else score
            for score in scores
        ]
    layers = _layers(evidence, RANDOM_LAYERS)
    probed = _probe_layers(evidence, layers, control="random_init")
    # The control chooses its best layer by the same rule: it has the same freedom.
    control = probed.in_roles() + probed.by_layer()
    return scores + [s for s in control if s.metric == "balanced_accuracy"]


TASK = Task(
    name="layer_probe",
    version=2,
    judge_version=2,
    measure=measure,
    judge=judge,
    parameters=Parameters,
    reads_fit=True,
    weight=30.0,
    title="a linear probe on every layer's hidden states, with the random network beside it",
    columns=(
        Column(
            header="layer bal. acc.",
            metric="balanced_accuracy",
            meaning="balanced accuracy of a linear probe on a network's hidden states",
            baselines=LABEL_READERS,
            is_readout=True,
        ),
    ),
)
