"""How much to trust a language model: weights that make the fewest word errors on recordings that one has."""

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

STEPS = (0.2, 0.8, 0.4, 1.0, 0.1)
"""First steps of alpha, beta, unknown, blank and gamma."""
HALVINGS = 2

Point = tuple[float, ...]


class Rates(NamedTuple):
    """Word error rates."""

    decoder_for: float
    """On the half that weights are found on."""
    rest: float
    all: float


@dataclass(frozen=True)
class TuningResult:
    """The weights found, and what they are worth."""

    weights: DecodingWeights
    gamma: float
    speakers: tuple[str, ...]
    """Whose recordings the weights were found on."""
    before: Rates
    """With the weights that the search began with."""
    after: Rates
    trials: int
    """Weights that were tried."""

    def summary(self) -> str:
        """Return the table that a person reads."""
        w = self.weights
        rows = [
            f"{name}  {before:7.2%}  {after:7.2%}"
            for name, before, after in zip(
                ("tuned on", "the rest", "all     "), self.before, self.after, strict=True
            )
        ]
        return "\n".join(
            [
                "  ".join(f"{name} {value:g}" for name, value in {**asdict(w), "gamma": self.gamma}.items()),
                f"{self.trials} trials on the speakers {', '.join(self.speakers)}",
                "WER        before    after",
                *rows,
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that are ready for JSON, and for the card of a model."""
        return {
            **asdict(self.weights),
            "gamma": self.gamma,
            "speakers": list(self.speakers),
            "before": self.before._asdict(),
            "after": self.after._asdict(),
            "trials": self.trials,
        }


def tune(recogniser: Recogniser, utterances: Sequence[Utterance], decoding: DecodingOptions) -> TuningResult:
    """Find the weights of a language model on half of the speakers.

    Args:
        recogniser: the acoustic model.
        utterances: of at least two speakers; the first half of them, by name, is tuned on.
        decoding: the search; its weights, or those of the model's card, are where to start from.
    Raises:
        DataError: there are fewer than two speakers, or no language model to weigh.
        AudioError: a recording cannot be read.
    """
    names = sorted({utterance.speaker for utterance in utterances if utterance.speaker is not None})
    if len(names) < 2:
        raise DataError("tuning needs recordings of two speakers or more; name them in the manifest")
    if decoding.lm is None and decoding.rescorer is None:
        raise DataError("there is nothing to tune without a language model; give one")
    chosen = names[: len(names) // 2]
    search = recogniser.decoder(decoding)
    if search.scorer is not None:
        search.scorer = _remembered(search.scorer)
    first, rest = (
        [
            utterance_emissions(recogniser, utterance)
            for utterance in utterances
            if (utterance.speaker in chosen) == half
        ]
        for half in (True, False)
    )

    def errors(part: Sequence[UtteranceEmissions], point: Point) -> list[UtteranceResult]:
        search.decoder.weights, search.gamma = DecodingWeights(*point[:-1]), point[-1]
        return [item.decode(search) for item in part]

    weights = search.decoder.weights
    start = (*astuple(weights), search.gamma)
    steps = [
        step * (decoding.lm is not None if index < len(STEPS) - 1 else search.scorer is not None)
        for index, step in enumerate(STEPS)
    ]
    tried: dict[Point, float] = {}

    def cost(point: Point) -> float:
        if point not in tried:
            tried[point] = word_errors(errors(first, point)).rate
        return tried[point]

    best = minimise(cost, start, steps, HALVINGS)
    rates = []
    for point in (start, best):
        one, two = errors(first, point), errors(rest, point)
        rates.append(Rates(*(word_errors(results).rate for results in (one, two, one + two))))
    return TuningResult(DecodingWeights(*best[:-1]), best[-1], tuple(chosen), rates[0], rates[1], len(tried))


def minimise(cost: Callable[[Point], float], start: Point, steps: Sequence[float], halvings: int) -> Point:
    """Find a low point by trying a step up and down in one direction after the other.

    Where none of them helps, the steps are halved. No gradient is needed, and few trials are. Source: Hooke
    and Jeeves 1961, "Direct search solution of numerical and statistical problems".

    Args:
        cost: what should be low.
        start: where to begin; a direction whose step is 0 is left alone.
        steps: lengths of the first steps.
        halvings: how often the steps are halved before the search ends.
    Example:
        >>> minimise(lambda point: (point[0] - 3) ** 2, (0.0,), [2.0], halvings=1)
        (3.0,)
    """
    best, lowest = start, cost(start)
    for halving in range(halvings + 1):
        better = True
        while better:
            better = False
            for index, step in enumerate(steps):
                for change in (step / 2**halving, -step / 2**halving):
                    moved = round(best[index] + change, 4)
                    point = (*best[:index], moved, *best[index + 1 :])
                    if change and cost(point) < lowest:
                        best, lowest, better = point, cost(point), True
                        break
    return best


def _remembered(scorer: Scorer) -> Scorer:
    """Ask a slow language model only for texts that it has not seen before."""
    known: dict[str, float] = {}

    def score(texts: Sequence[str]) -> list[float]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, scorer(new), strict=True))
        return [known[text] for text in texts]

    return score
