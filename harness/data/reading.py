"""Reading of members into rows, as the source of a card states it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Column = str | int
Range = float | tuple[float, ...]


# A misspelt key must be an error: ignored, it would silently change the data.
class Strict(BaseModel):
    """Part of a card: unknown keys are errors, and values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Quantise(Strict):
    """Rule that turns real values into bytes; values outside the range are clipped.

    linear: round(255 (x - low) / (high - low)); `low` and `high` are numbers, or lists of
    them: one for each value of a sample, as the columns of a table need it.
    mulaw: round(127.5 + 127.5 sign(x) ln(1 + mu |x| / high) / ln(1 + mu)), the companding
    of telephony (ITU-T G.711), for signals of very different loudness.
    """

    rule: Literal["linear", "mulaw"]
    low: Range = 0.0
    high: Range
    mu: float = Field(default=255.0, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = (
            end if isinstance(end, tuple) else (end,) for end in (self.low, self.high)
        )
        # A list of one number would be repeated silently for all values.
        if len(low) != len(high) and not (isinstance(self.low, float) and high):
            raise ValueError("low and high need the same number of values")
        if isinstance(self.low, float):
            low *= len(high)
        # Equal ends would divide by zero.
        if any(a >= b for a, b in zip(low, high, strict=True)):
            raise ValueError("low must be below high")
        return self


class Shrink(Strict):
    """Rule that makes images smaller: means of `by` x `by` pixels, then fewer grey levels.

    A pixel becomes floor(floor(sum / by^2) levels / 256): integers, the same everywhere.
    """

    by: int = Field(ge=1)
    levels: int = Field(default=256, ge=2, le=256)


class SplitRule(Strict):
    """Rule that splits rows into train and test where the source has no split.

    seeded: stratified by class, drawn with the seed, `n_test` of the card.
    group: all rows of a group (one message in all languages) fall on one side; the share
    `test` of the groups, those of lowest sha256(seed:group), is the test split.
    class_group: the same within each class, with at least one group on each side, where
    every group (one file) has one class.
    head: the last share `test` of the bytes of one text is the only test sample.
    """

    rule: Literal["seeded", "group", "class_group", "head"]
    seed: int = 0
    test: float = Field(default=0.1, gt=0, lt=1)


class Columns(Strict):
    """Columns or fields of a record that make a row; numbers count from 0, -1 is the last.

    Attributes:
        label: the column of the label.
        sample: columns of the sample, joined by a blank; empty takes all but the label.
        equal: values that other columns must have; other records are no rows.
    """

    label: Column
    sample: list[Column] = []
    equal: dict[str, str] = {}


class Csv(Strict):
    """Dialect of a table in text, as Python's csv reads it.

    Attributes:
        quote: character around fields; empty where quotes are ordinary characters.
        header: whether the first line names the columns.
        skip: lines after the header that are no records.
    """

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', max_length=1)
    encoding: str = "utf-8"
    header: bool = True
    skip: int = Field(default=0, ge=0)


class Glyphs(Strict):
    """Rule by which fonts become samples: their height in rows, and the letters taken."""

    lowest: int = Field(ge=1)
    highest: int = Field(ge=1)
    letters: str = Field(pattern=r"^[ -~]+$")  # the characters that every font has


class Selection(Strict):
    """Rules by which rows are cut and chosen, in this order.

    Attributes:
        min_characters: shorter samples are dropped.
        first_bytes: bytes taken from the start of a long sample; 0 takes all.
        piece_bytes: size of the pieces that samples are cut into; shorter ends are dropped.
        distinct: of equal samples the first remains; none does if their labels differ.
        per_class: rows that a class keeps, those of lowest sha256(seed:sample); 0 is all.
    """

    min_characters: int = Field(default=0, ge=0)
    first_bytes: int = Field(default=0, ge=0)
    piece_bytes: int = Field(default=0, ge=0)
    distinct: bool = False
    per_class: int = Field(default=0, ge=0)
    seed: int = 0


class Reading(Strict):
    """Rules by which the members of the containers become rows.

    Patterns are shell patterns over whole member names ("*" also matches "/").

    Attributes:
        train, test: members of each split.
        members: in place of both, members whose rows `split` splits.
        exclude: members that are left out, though a pattern above matches them.
        label: regular expression over a member's name; group 1 is its label.
        labels: labels to keep; empty keeps all.
        columns: for formats of records.
        csv: for the format csv.
        glyphs: for the format figlet.
        select: rules that choose among the rows, before they are split.
        shrink: of single-channel images, to what the card's shape and levels say.
        checksums: sha256 of members by their file name, where the authors publish these.
    """

    format: str
    train: list[str] = []
    test: list[str] = []
    members: list[str] = []
    exclude: list[str] = []
    label: str = ""
    labels: list[str] = []
    columns: Columns | None = None
    csv: Csv = Csv()
    glyphs: Glyphs | None = None
    select: Selection = Selection()
    split: SplitRule | None = None
    quantise: Quantise | None = None
    shrink: Shrink | None = None
    checksums: dict[str, Sha256] = {}

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        # Without a rule, members would belong to no split.
        if bool(self.members) != bool(self.split):
            raise ValueError("members and split come together")
        if bool(self.members) == bool(self.test):
            raise ValueError("give test (and train), or members and split")
        return self
