"""Probe what each layer of a network knows about the classes (SCIENCE: layer_probe).

Hidden states are pooled over positions as the data set's card fixed beforehand and given to
logistic regression, layer by layer, as in Chen et al. 2020, "Generative Pretraining from
Pixels". The middle layer is fixed beforehand too; the chosen one is the best on the
validation part of train. Next to them the same network with random weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.compressor import Compressor, Represents, hyperparameters
from harness.data.dataset import Dataset
from harness.errors import ConformanceError, NotApplicableError
from harness.tasks.classify import require_labels
from harness.tasks.column import LABEL_READERS, Column
from harness.tasks.outcome import Outcome, Score
from harness.tasks.probing.logistic import Floats
from harness.tasks.probing.scores import PCA_SUFFIX, Features, probe_scores
from harness.tasks.task import Inputs, Task

Pooled = NDArray[np.float32]
MAX_STATE_BYTES = 1 << 26
"""Hidden states held at a time, unless a single sample has more."""
RANDOM_INIT = "_random_init"
MEASURES = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "tie_rate",
    "validation_balanced_accuracy",
)
"""What every layer gets; the other scores of a probe are for the middle layer alone."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What to add that costs time.

    Attributes:
        extras: for the middle layer, label code length, few-label accuracy and the
            permuted control. The layer is fixed, so that no label chooses it.
        random_init: the control, at as many layers. In a ladder it is the same for all
            rungs; a rung of 0 steps is the control itself.
    """

    extras: bool = True
    random_init: bool = True


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer's pooled states: its name, and (n_train, k) and (n_test, k)."""

    name: str
    train: Pooled
    test: Pooled


@dataclass(frozen=True, kw_only=True)
class ProbedLayers:
    """What the probes of all layers of one network found, in the order of the layers.

    Attributes:
        names: of the layers.
        scores: per layer, named "MEASURE..._layer:NAME...".
        credit: per layer, shape (n_test, n_classes).
        prefix: of all suffixes, such as "_random_init".
    """

    names: tuple[str, ...]
    scores: Mapping[str, list[Score]]
    credit: Mapping[str, Floats]
    prefix: str = ""

    @property
    def middle(self) -> str:
        """The middle layer; the earlier of two."""
        return self.names[middle_of(len(self.names))]

    @property
    def last(self) -> str:
        """The last layer."""
        return self.names[-1]

    @property
    def chosen(self) -> str:
        """The best on the validation part; the middle one where that part is empty."""
        measure = f"validation_balanced_accuracy{self.prefix}"
        values = [
            score.value
            for name in self.names
            for score in self.scores[name]
            if score.name == f"{measure}_layer:{name}"
        ]
        return self.names[int(np.argmax(values))] if values else self.middle

    def in_role(self, name: str, role: str) -> list[Score]:
        """Return a layer's scores under the name of its role: "", "_middle" or "_last".

        What chose the layer may have seen all train labels; so only the fixed middle layer
        keeps the code length of those labels and what else is measured on them.
        """
        where = f"layer {name}, {self.names.index(name) + 1} of {len(self.names)}"
        return [
            replace(
                score,
                name=score.name.replace(f"_layer:{name}", role, 1),
                note=f"{score.note}; {where}" if score.note else where,
            )
            for score in self.scores[name]
            if role == "_middle" or self._measure_of(score) in MEASURES
        ]

    def by_layer(self) -> list[Score]:
        """Return the balanced accuracy of every layer, on test and on validation."""
        return [
            score
            for name in self.names
            for score in self.scores[name]
            if self._measure_of(score).endswith("balanced_accuracy")
        ]

    def _measure_of(self, score: Score) -> str:
        return score.name.partition("_layer:")[0].removesuffix(self.prefix)


def run(inputs: Inputs, parameters: Parameters) -> Outcome:
    """Return the scores of all layers, and the pooled states of the middle one.

    Names end in "" for the chosen layer, "_middle", "_last" and "_layer:NAME"; then
    "_pca64" in the common dimension. Of the random network "_random_init" stands before
    that. With grid pooling "_middle_mean" and "_last_mean" are the same layers pooled by
    the mean alone.

    Raises:
        NotApplicableError: there are no labels, the compressor shows no hidden states, or
            samples are not images of the card's shape where pooling is by place.
        ConformanceError: hidden states do not have the shape of the contract.
    """
    dataset, seed = inputs.dataset, inputs.seed
    require_labels(dataset)
    layers = pooled_layers(_representing(inputs.fitted), dataset)
    probed = _probe_layers(dataset, layers, seed=seed, extras=parameters.extras)
    scores = probed.in_role(probed.chosen, "")
    scores += probed.in_role(probed.middle, "_middle")
    scores += probed.in_role(probed.last, "_last")
    scores += probed.by_layer()
    if dataset.pooling == "grid2x2":
        scores += _mean_pooled(dataset, layers, seed=seed)
    if parameters.random_init:
        scores = _with_random_init(scores, inputs)
    middle = layers[middle_of(len(layers))]
    arrays: dict[str, NDArray[Any]] = {
        "credit": probed.credit[probed.chosen],
        "credit_middle": probed.credit[probed.middle],
        "credit_last": probed.credit[probed.last],
        "labels": dataset.test.labels,
        "features_train": middle.train,
        "features_test": middle.test,
        "labels_train": dataset.train.labels,
    }
    return Outcome(scores=tuple(scores), arrays=arrays)


def middle_of(n_layers: int) -> int:
    """Return the index of the middle of n layers; of two middle ones the earlier."""
    return (n_layers - 1) // 2


def pooled_layers(model: Represents, dataset: Dataset) -> list[Layer]:
    """Return the pooled hidden states of both splits, per layer, in the model's order.

    All layers are kept at once, in float32; the states themselves only a batch at a time.

    Raises:
        NotApplicableError: pooling is by place and a sample is not of the card's shape.
        ConformanceError: hidden states do not have the shape of the contract.
    """
    train = pooled_states(model, dataset.train.samples, dataset)
    test = pooled_states(model, dataset.test.samples, dataset)
    if not train or list(train) != list(test):
        raise ConformanceError(
            f"hidden_states named layers {list(train)} for train and {list(test)} for test; "
            f"return the same one or more layers for every batch"
        )
    return [Layer(name=name, train=train[name], test=test[name]) for name in train]


def pooled_states(
    model: Represents, samples: Sequence[bytes], dataset: Dataset
) -> dict[str, Pooled]:
    """Return, per layer, the pooled states of samples: (n, d), or (n, 5 d) by quarters.

    Samples of like length share a batch, so that little is padded; how many, is so that
    their states take MAX_STATE_BYTES, going by the batch before.
    """
    lengths = np.array([len(sample) for sample in samples], np.int64)
    order = np.argsort(-lengths, kind="stable")
    found: dict[str, Pooled] = {}
    start, n_batch = 0, 1
    while start < len(order):
        chosen = order[start : start + n_batch]
        states = model.hidden_states([samples[i] for i in chosen])
        for name, layer in states.items():
            pooled = pool(layer, lengths[chosen], dataset)
            shape = (len(samples), pooled.shape[1])
            found.setdefault(name, np.zeros(shape, np.float32))[chosen] = pooled
        start += len(chosen)
        longest = lengths[chosen[0]]
        n_bytes = sum(layer.nbytes for layer in states.values())
        per_position = max(1, n_bytes // max(1, len(chosen) * longest))
        following = lengths[order[start]] if start < len(order) else 1
        n_batch = int(max(1, MAX_STATE_BYTES // (per_position * max(1, following))))
    return found


def pool(
    states: NDArray[np.float32], lengths: NDArray[np.int64], dataset: Dataset
) -> Floats:
    """Return the states of a batch pooled as the card says, float64.

    Args:
        states: shape (n, T, d), T the longest sample of the batch.
        lengths: shape (n,); positions from there on are padding. An empty sample gives 0.
        dataset: its pooling and shape.

    Returns:
        Shape (n, d), the mean over positions; with "grid2x2" (n, 5 d), then the means of
        the quarters: above left, above right, below left, below right.
    """
    n, n_positions = len(lengths), int(lengths.max(initial=0))
    if states.ndim != 3 or states.shape[:2] != (n, n_positions):
        raise ConformanceError(
            f"hidden_states gave shape {states.shape} for {n} samples of up to "
            f"{n_positions} bytes; return (n, T, d), a state after each position"
        )
    if dataset.pooling == "mean":
        read = np.arange(n_positions) < lengths[:, None]
        weights = (read / np.maximum(lengths, 1)[:, None])[:, None, :]  # (n, 1, T)
    else:
        weights = _place_weights(lengths, dataset)  # (5, T)
    pooled: Floats = np.matmul(weights, states)  # (n, 1 or 5, d)
    return pooled.reshape(n, -1)


def _place_weights(lengths: NDArray[np.int64], dataset: Dataset) -> Floats:
    """Return the weights of positions in the mean and in the quarters' means: (5, T)."""
    height, width, *channels = dataset.shape or (0, 0)
    n_positions = height * width * int(np.prod(channels))
    if min(height, width) < 2 or (lengths != n_positions).any():
        raise NotApplicableError(
            f"{dataset.name}: pooling by place needs images of shape {dataset.shape}, at "
            f"least 2 x 2; a sample has {lengths.max()} bytes: set the card's pooling to mean"
        )
    row, column = np.divmod(
        np.arange(n_positions) // int(np.prod(channels)), width
    )  # channels of a pixel lie side by side
    quarter = 2 * (2 * row // height) + 2 * column // width
    inside = np.vstack(
        [np.ones(n_positions), quarter == np.arange(4)[:, None]]
    )  # (5, T)
    weights: Floats = inside / inside.sum(axis=1, keepdims=True)
    return weights


def _representing(compressor: Compressor) -> Represents:
    if not isinstance(compressor, Represents):
        raise NotApplicableError(f"{compressor.name} has no hidden states to probe")
    return compressor


def _probe_layers(
    dataset: Dataset,
    layers: Sequence[Layer],
    *,
    seed: int,
    extras: bool = False,
    prefix: str = "",
) -> ProbedLayers:
    """Return the probes of all layers; `extras` are for the middle one."""
    scores, credit = {}, {}
    for i, layer in enumerate(layers):
        suffix = f"{prefix}_layer:{layer.name}"
        found, arrays = probe_scores(
            dataset,
            _features(dataset, layer, suffix),
            seed=seed,
            extras=extras and i == middle_of(len(layers)),
        )
        scores[layer.name] = _with_common_dimension(found, suffix)
        credit[layer.name] = arrays[f"credit{suffix}"]
    names = tuple(layer.name for layer in layers)
    return ProbedLayers(names=names, scores=scores, credit=credit, prefix=prefix)


def _features(dataset: Dataset, layer: Layer, suffix: str) -> Features:
    train, test = layer.train.astype(np.float64), layer.test.astype(np.float64)
    if not np.ptp(train, axis=0).any():  # a dead layer: nothing to project, chance
        train, test = train[:, :1], test[:, :1]
    state = "random weights" if suffix.startswith(RANDOM_INIT) else "fit(train)"
    labels = dataset.train.labels
    return Features(train=train, labels=labels, test=test, state=state, suffix=suffix)


def _with_common_dimension(scores: list[Score], suffix: str) -> list[Score]:
    """Let every layer have scores named "_pca64", so that one name compares all models.

    A layer with no more features than that has them as they are.
    """
    if any(suffix + PCA_SUFFIX in score.name for score in scores):
        return scores
    return scores + [
        replace(
            score,
            name=score.name.replace(suffix, suffix + PCA_SUFFIX, 1),
            note=f"{score.note}; features as they are".removeprefix("; "),
        )
        for score in scores
        if score.name.partition(suffix)[0] in MEASURES
    ]


def _mean_pooled(
    dataset: Dataset, layers: Sequence[Layer], *, seed: int
) -> list[Score]:
    """Return what is left without the quarters, for the middle and the last layer."""
    scores = []
    for role, layer in (
        ("_middle", layers[middle_of(len(layers))]),
        ("_last", layers[-1]),
    ):
        width = layer.train.shape[1] // 5  # the mean comes first
        means = replace(layer, train=layer.train[:, :width], test=layer.test[:, :width])
        features = _features(dataset, means, f"{role}_mean")
        found, _ = probe_scores(dataset, features, seed=seed, extras=False)
        scores += [s for s in found if s.name.startswith("balanced_accuracy")]
    return scores


def _with_random_init(scores: list[Score], inputs: Inputs) -> list[Score]:
    """Return the scores and the control's balanced accuracies, or why there are none."""
    network = random_network(inputs)
    if network is None:
        why = f"no random-init control: {inputs.unfitted.name} does not count steps"
        return [
            replace(score, note=f"{score.note}; {why}")
            if score.name.startswith("balanced_accuracy_middle")
            else score
            for score in scores
        ]
    dataset, seed = inputs.dataset, inputs.seed
    layers = pooled_layers(_representing(network), dataset)
    probed = _probe_layers(dataset, layers, seed=seed, prefix=RANDOM_INIT)
    control = probed.in_role(probed.chosen, "")
    control += probed.in_role(probed.middle, "_middle")
    control += probed.in_role(probed.last, "_last")
    control += probed.by_layer()
    return scores + [s for s in control if s.name.startswith("balanced_accuracy")]


def random_network(inputs: Inputs) -> Compressor | None:
    """Return the same network after 0 steps: the weights from which its training starts.

    None where the class has no ladder over steps, the way in which a model says so.
    """
    unfitted, dataset = inputs.unfitted, inputs.dataset
    if unfitted.ladder_field != "steps" or "steps" not in hyperparameters(unfitted):
        return None
    corpus = [sample + dataset.separator for sample in dataset.train.samples]
    changes: dict[str, Any] = {"steps": 0}
    return replace(unfitted, **changes).fit(corpus, seed=inputs.seed)


TASK = Task(
    name="layer_probe",
    version=1,
    run=run,
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
