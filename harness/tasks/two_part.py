"""Two-part rate: the held-out code plus the artifact that a receiver without train needs.

docs/method.md, two_part_bpb.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.records.score import Realised, Score
from harness.units import bits_per_byte


@dataclass(frozen=True, kw_only=True)
class Heldout:
    """Held-out code of the test split: bits of `n_bytes` in `n` samples."""

    bits: float
    n_bytes: int
    n: int
    route: str = ""
    realised: Realised = ""


def two_part_scores(
    heldout: Heldout, *, artifact_bits: float, artifact_free_bpb: Sequence[float]
) -> list[Score]:
    """Return the two-part rate, the artifact's size, and the size of data at which it pays.

    The break-even size is N* = artifact bits / (best artifact-free rate - held-out rate),
    in bytes of test data; there is none where the held-out rate is not the lower one.

    Args:
        heldout: C(test | train).
        artifact_bits: compressed size of the artifact.
        artifact_free_bpb: rates of the same compressor on the same data with nothing
            given, such as stream and cold; empty for models that must be fitted.
    """
    state = "fit(train)"
    rate = bits_per_byte(heldout.bits, heldout.n_bytes)
    # Against its own best rate: that of another compressor is another question.
    gain = min(artifact_free_bpb) - rate if artifact_free_bpb else 0.0
    scores = [
        Score(
            metric="two_part_bpb",
            value=bits_per_byte(heldout.bits + artifact_bits, heldout.n_bytes),
            unit="bits/byte",
            state=state,
            route=heldout.route,
            n=heldout.n,
            realised=heldout.realised,
            note=_note(artifact_free_bpb, gain),
        ),
        Score(metric="artifact_bits", value=artifact_bits, unit="bits", state=state),
    ]
    # Otherwise no amount of data pays for the artifact.
    if gain > 0:
        scores.append(
            Score(
                metric="break_even_bytes",
                value=artifact_bits / gain,
                unit="bytes",
                state=state,
                note="test bytes from which the artifact has paid for itself",
            )
        )
    return scores


def _note(artifact_free_bpb: Sequence[float], gain: float) -> str:
    if not artifact_free_bpb:
        return "no break-even: it has no rate without an artifact"
    return (
        "" if gain > 0 else "no break-even: held-out is no shorter than nothing known"
    )
