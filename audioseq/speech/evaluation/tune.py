"""Tune the decoding weights for the lowest word error rate on given recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any, NamedTuple

from audioseq.data import Utterance
from audioseq.errors import DataError
from audioseq.speech.decoding.beam import DecodingWeights
from audioseq.speech.decoding.decoder import DecodingOptions
from audioseq.speech.decoding.nbest import Scorer
from audioseq.speech.evaluation.evaluate import UtteranceEmissions, utterance_emissions
from audioseq.speech.metrics import UtteranceResult, word_errors
from audioseq.speech.pipeline import Recogniser

INITIAL_STEPS = (0.2, 0.8, 0.4, 1.0, 0.1)
"""First steps of alpha, beta, OOV penalty, blank penalty and gamma."""
HALVINGS = 2
"""How often the steps are halved."""

Point = tuple[float, ...]
"""Values of the weights, in the order of `INITIAL_STEPS`."""


class Rates(NamedTuple):
    """Word error rates."""

    chosen: float
    """Of the speakers that the weights are tuned on."""
    rest: float
    """Of the other speakers."""
    all: float


@dataclass(frozen=True)
class TuningResult:
    """Tuned weights, with error rates before and after."""

    weights: DecodingWeights
    gamma: float
    speakers: tuple[str, ...]
    """Speakers that the weights were tuned on."""
    before: Rates
    """With the initial weights."""
    after: Rates
    trials: int
    """Number of points evaluated."""

    def summary(self) -> str:
        """Return the result as text."""
        w = self.weights
        rows = [
            f"{name}  {before:7.2%}  {after:7.2%}"
            for name, before, after in zip(
                ("tuning set    ", "other speakers", "all speakers  "), self.before, self.after, strict=True
            )
        ]
        return "\n".join(
            [
                "  ".join(f"{name} {value:g}" for name, value in {**asdict(w), "gamma": self.gamma}.items()),
                f"{self.trials} trials; tuned on the speakers {', '.join(self.speakers)}",
                "WER              before    after",
                *rows,
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values, for JSON and model cards."""
        return {
            **asdict(self.weights),
            "gamma": self.gamma,
            "speakers": list(self.speakers),
            "before": self.before._asdict(),
            "after": self.after._asdict(),
            "trials": self.trials,
        }


def tune(recogniser: Recogniser, utterances: Sequence[Utterance], decoding: DecodingOptions) -> TuningResult:
    """Tune the decoding weights on half of the speakers.

    Args:
        recogniser: the acoustic model.
        utterances: of at least two speakers; the weights are tuned on the first half of them, by name.
        decoding: options with a language model; the search starts from their weights, or those of the model
            card.
    Returns:
        the weights, and error rates of both halves before and after.
    Raises:
        DataError: there are fewer than two speakers, or no language model.
        AudioError: a recording cannot be read.
    """
    names = sorted({utterance.speaker for utterance in utterances if utterance.speaker is not None})
    if len(names) < 2:
        raise DataError("tuning needs recordings of at least two speakers; add `speaker` to the manifest")
    if decoding.lm is None and decoding.rescorer is None:
        raise DataError("tuning needs a language model; give one")
    chosen = names[: len(names) // 2]
    decoder = recogniser.load_decoder(decoding)
    if decoder.rescorer is not None:
        decoder.rescorer = _cached(decoder.rescorer)
    first, rest = (
        [
            utterance_emissions(recogniser, utterance)
            for utterance in utterances
            if (utterance.speaker in chosen) == half
        ]
        for half in (True, False)
    )

    def decode(part: Sequence[UtteranceEmissions], point: Point) -> list[UtteranceResult]:
        decoder.beam_decoder.weights, decoder.gamma = DecodingWeights(*point[:-1]), point[-1]
        return [item.decode(decoder) for item in part]

    start = (*astuple(decoder.beam_decoder.weights), decoder.gamma)
    steps = [
        step * (decoding.lm is not None if index < len(INITIAL_STEPS) - 1 else decoder.rescorer is not None)
        for index, step in enumerate(INITIAL_STEPS)
    ]
    tried: dict[Point, float] = {}

    def cost(point: Point) -> float:
        if point not in tried:
            tried[point] = word_errors(decode(first, point)).rate
        return tried[point]

    best = minimise(cost, start, steps, HALVINGS)
    rates = []
    for point in (start, best):
        one, two = decode(first, point), decode(rest, point)
        rates.append(Rates(*(word_errors(results).rate for results in (one, two, one + two))))
    return TuningResult(DecodingWeights(*best[:-1]), best[-1], tuple(chosen), rates[0], rates[1], len(tried))


def minimise(cost: Callable[[Point], float], start: Point, steps: Sequence[float], halvings: int) -> Point:
    """Minimise a function by coordinate-wise pattern search.

    It tries a step up and down along each coordinate, and halves the steps when none of them improves the
    cost. It needs no gradient and few evaluations. Source: Hooke and Jeeves 1961, "Direct search solution of
    numerical and statistical problems".

    Args:
        cost: function to minimise.
        start: initial point.
        steps: initial step of each coordinate; a coordinate with step 0 is fixed.
        halvings: how often the steps are halved before the search ends.
    Returns:
        the best point found.
    Example:
        >>> minimise(lambda point: (point[0] - 3) ** 2, (0.0,), [2.0], halvings=1)
        (3.0,)
    """
    best, lowest = start, cost(start)
    for halving in range(halvings + 1):
        improved = True
        while improved:
            improved = False
            for index, step in enumerate(steps):
                for change in (step / 2**halving, -step / 2**halving):
                    moved = round(best[index] + change, 4)
                    point = (*best[:index], moved, *best[index + 1 :])
                    if change and cost(point) < lowest:
                        best, lowest, improved = point, cost(point), True
                        break
    return best


def _cached(scorer: Scorer) -> Scorer:
    """Cache the scores of a slow language model."""
    known: dict[str, float] = {}

    def score(texts: Sequence[str]) -> list[float]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, scorer(new), strict=True))
        return [known[text] for text in texts]

    return score
