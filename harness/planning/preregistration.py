"""Preregistration: the claims that a suite will test, fixed before it has records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

ANALYSIS_VERSION = 1
"""Version of the analysis that claims get: rises whenever a definition in `statistics` or
`analysis/preregistered` changes, so that a number computed by another one is told apart.

A number, as tasks have, and no hash of sources: a hash would call every new comment a change
of the analysis, and readers would learn to pass over it. `registration.json` names the commit.
"""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Claim(_Strict):
    """One claim: a better held-out rate goes with a better score.

    Attributes:
        name: "G", as a generative classifier, decided between families; "R", of features
            learned without labels, decided within families.
        label: sets claims of one name apart; the name where empty.
        task, score, equal_bytes: the readout.
        compressors: specs; empty takes all that the block holds.
        datasets: of this claim; empty takes those of the hypothesis.
        secondary: reported beside the primary claims, outside of Holm's correction.
    """

    name: Literal["G", "R"]
    label: str = ""
    task: str
    score: str = "balanced_accuracy"
    equal_bytes: bool = False
    compressors: list[str] = []
    datasets: list[str] = []
    secondary: bool = False

    @property
    def title(self) -> str:
        """Name in tables."""
        return self.label or self.name


class Registration(_Strict):
    """The `[hypothesis]` of a suite.

    Attributes:
        claims: tested with Holm's correction over those that are not secondary.
        families: in the test; empty takes all but `excluded_families`.
        datasets: of the block.
        block: "complete": compressors with both numbers on every data set.
        statistic: the preregistered statistic.
        draws: repetitions that every cell must have.
        n_permutations, n_resamples: behind p-values and intervals.
        alpha: level of the test.
        smallest_effect: a correlation below it would not matter; it separates "not
            supported" from "undecided".
        intra_family: correlation inside families assumed for the detectable effect.
        seed: of permutations, resamples and simulations.
        interventions: specs of one network by the changed factor, for the one-curve question.
        tolerance: deviation from one curve, in accuracy, that would not matter.
    """

    claims: list[Claim] = Field(min_length=1)
    families: list[str] = []
    excluded_families: list[str] = []
    datasets: list[str] = Field(min_length=1)
    block: Literal["complete"] = "complete"
    statistic: Literal["mean within-dataset Spearman"] = "mean within-dataset Spearman"
    draws: int = Field(default=1, ge=1)
    n_permutations: int = Field(default=9999, ge=99)
    n_resamples: int = Field(default=2000, ge=100)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    smallest_effect: float = Field(default=0.5, gt=0, le=1)
    intra_family: float = Field(default=0.7, ge=0, lt=1)
    seed: int = Field(default=0, ge=0)
    interventions: dict[str, list[str]] = {}
    tolerance: float = Field(default=0.05, gt=0, lt=1)

    @model_validator(mode="after")
    def _titles_once(self) -> Registration:
        # Tables, and Holm's correction, tell claims apart by their titles.
        titles = [claim.title for claim in self.claims]
        twice = sorted({title for title in titles if titles.count(title) > 1})
        if twice:
            raise ValueError(f"two claims are called {twice[0]!r}; give one a label")
        return self

    def spelled(self, shortest: Callable[[str], str]) -> Registration:
        """Return the same with every spec as `shortest` writes it, as records do."""
        claims = [
            claim.model_copy(
                update={"compressors": [shortest(spec) for spec in claim.compressors]}
            )
            for claim in self.claims
        ]
        interventions = {
            name: [shortest(spec) for spec in specs]
            for name, specs in self.interventions.items()
        }
        return self.model_copy(
            update={"claims": claims, "interventions": interventions}
        )
