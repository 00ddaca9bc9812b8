"""Preregistration: the claims that a suite will test, fixed before it has records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

ANALYSIS_VERSION = 3
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
        name: "R", representations: networks of several families, each in several
            configurations, decided by the mean correlation inside (family, data set). "C",
            classification by compression, and "L", features without labels: every
            compressor, decided by the mean over data sets of the correlation over them.
        label: sets claims of one name apart; the name where empty.
        task, score, equal_bytes: the readout.
        compressors: specs; empty takes all that have the numbers.
        datasets: of this claim; empty takes those of the hypothesis.
        secondary: reported beside the primary claims, outside of Holm's correction.
        rate: "heldout", of decoded bytes, or for a secondary claim "likelihood", which
            models have that write no bytes.
    """

    name: Literal["R", "C", "L"]
    label: str = ""
    task: str
    score: str = "balanced_accuracy"
    equal_bytes: bool = False
    compressors: list[str] = []
    datasets: list[str] = []
    secondary: bool = False
    rate: Literal["heldout", "likelihood"] = "heldout"

    @model_validator(mode="after")
    def _likelihood_is_secondary(self) -> Claim:
        if self.rate == "likelihood" and not self.secondary:
            raise ValueError(
                f"claim {self.title!r}: a likelihood is no code; set secondary = true, or "
                "take the rate heldout"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_the_usual_rate(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        # A design that was registered before claims named their rate keeps its hash.
        if values.get("rate") == "heldout":
            del values["rate"]
        return values

    @property
    def title(self) -> str:
        """Name in tables."""
        return self.label or self.name

    @property
    def is_within_families(self) -> bool:
        """True if configurations of one family are compared, False if all compressors."""
        return self.name == "R"


class Registration(_Strict):
    """The `[hypothesis]` of a suite.

    Attributes:
        claims: tested with Holm's correction over those that are not secondary.
        families: in the test; empty takes all but `excluded_families`.
        superfamilies: families of one descent by the name of their ancestor; they are one
            unit in claims about new compressors.
        datasets: on which the claims are tested.
        draws: repetitions that every cell must have; a cell is their mean.
        near_tie: relative difference of two rates below which they share a rank.
        n_permutations, n_resamples: behind p-values and intervals of new compressors.
        alpha: level of the test.
        smallest_effect: a correlation below it would not matter; it separates "not
            supported" from "undecided".
        intra_family: correlation inside families assumed for the detectable effect.
        heterogeneity: standard deviation of the correlation over families, and over data
            sets inside a family, assumed for the same.
        seed: of permutations, resamples and simulations.
        interventions: specs of one network by the changed factor, for the one-curve question.
        tolerance: deviation from one curve, in accuracy, that would not matter.
    """

    claims: list[Claim] = Field(min_length=1)
    families: list[str] = []
    excluded_families: list[str] = []
    superfamilies: dict[str, list[str]] = {}
    datasets: list[str] = Field(min_length=1)
    draws: int = Field(default=1, ge=1)
    near_tie: float = Field(default=0.01, ge=0, lt=1)
    n_permutations: int = Field(default=9999, ge=99)
    n_resamples: int = Field(default=2000, ge=100)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    smallest_effect: float = Field(default=0.3, gt=0, le=1)
    intra_family: float = Field(default=0.7, ge=0, lt=1)
    heterogeneity: float = Field(default=0.25, gt=0, lt=1)
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

    @model_validator(mode="after")
    def _one_ancestor(self) -> Registration:
        names = [name for names in self.superfamilies.values() for name in names]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"superfamilies: the family {twice[0]!r} stands in two; keep it in one"
            )
        return self

    def unit_of(self, family: str) -> str:
        """Return the superfamily of a family, itself where none is named."""
        for name, members in self.superfamilies.items():
            if family in members:
                return name
        return family

    def level_of(self, claim: Claim) -> float:
        """Return the level at which a claim must hold: Holm's first step for primary ones."""
        n_primary = sum(not each.secondary for each in self.claims)
        return self.alpha / (1 if claim.secondary else max(n_primary, 1))

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
