"""Tune the weights of the search and of rescoring for the lowest word error rate on given recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any, NamedTuple

from audioseq.data import Utterance
from audioseq.errors import DataError
from audioseq.speech.decoding.decoder import Decoder, DecodingOptions
from audioseq.speech.decoding.weights import RESCORING_KEY, DecodingWeights, RescoringWeights
from audioseq.speech.evaluation.evaluate import UtteranceEmissions, utterance_emissions
from audioseq.speech.evaluation.tune_rescoring import NBestLists, tune_rescoring
from audioseq.speech.metrics import word_errors
from audioseq.speech.pipeline import Recogniser

INITIAL_STEPS = (0.2, 0.8, 0.4, 1.0)
"""First steps of alpha, beta, OOV penalty and blank penalty."""
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
    rescoring_weights: RescoringWeights | None
    """None without a rescorer."""
    speakers: tuple[str, ...]
    """Speakers that the weights were tuned on."""
    before: Rates
    """With the initial weights, without rescoring."""
    after: Rates
    """With the tuned weights, rescored if there is a rescorer."""
    trials: int
    """Number of points at which the recordings were decoded."""

    def summary(self) -> str:
        """Return the result as text."""
        rows = [
            f"{name}  {before:7.2%}  {after:7.2%}"
            for name, before, after in zip(
                ("tuning set    ", "other speakers", "all speakers  "), self.before, self.after, strict=True
            )
        ]
        return "\n".join(
            [
                _format("search", self.weights),
                *([_format("rescoring", self.rescoring_weights)] if self.rescoring_weights else []),
                f"{self.trials} trials; tuned on the speakers {', '.join(self.speakers)}",
                "WER              before    after",
                *rows,
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values, for JSON and model cards."""
        return {
            **asdict(self.weights),
            **({RESCORING_KEY: asdict(self.rescoring_weights)} if self.rescoring_weights else {}),
            "speakers": list(self.speakers),
            "before": self.before._asdict(),
            "after": self.after._asdict(),
            "trials": self.trials,
        }


def tune(
    recogniser: Recogniser,
    utterances: Sequence[Utterance],
    decoding: DecodingOptions,
    *,
    search: bool = True,
) -> TuningResult:
    """Tune the decoding weights on half of the speakers.

    First the weights of the search, without rescoring; each trial decodes all recordings. Then the weights of
    rescoring, on the n-best lists of the tuned search.

    Args:
        recogniser: the acoustic model.
        utterances: of at least two speakers; the weights are tuned on the first half of them, by name.
        decoding: options with a language model; the search starts from their weights, or those of the model
            card.
        search: whether to tune the weights of the search; otherwise only those of rescoring.
    Returns:
        the weights, and error rates of both halves before and after.
    Raises:
        DataError: there are fewer than two speakers, or no language model to tune.
        AudioError: a recording cannot be read.
    """
    names = sorted({utterance.speaker for utterance in utterances if utterance.speaker is not None})
    if len(names) < 2:
        raise DataError("tuning needs recordings of at least two speakers; add `speaker` to the manifest")
    if (decoding.lm is None or not search) and decoding.rescorer is None:
        raise DataError("tuning needs a language model; give one")
    chosen = names[: len(names) // 2]
    decoder = recogniser.load_decoder(decoding)
    first, rest = (
        [
            utterance_emissions(recogniser, utterance)
            for utterance in utterances
            if (utterance.speaker in chosen) == half
        ]
        for half in (True, False)
    )
    rescorer, decoder.rescorer = decoder.rescorer, None
    start = astuple(decoder.beam_decoder.weights)
    before = _rates(decoder, first, rest)
    tried: dict[Point, float] = {start: before.chosen}

    def cost(point: Point) -> float:
        if point not in tried:
            decoder.beam_decoder.weights = DecodingWeights(*point)
            tried[point] = word_errors([item.decode(decoder) for item in first]).rate
        return tried[point]

    best = minimise(cost, start, INITIAL_STEPS, HALVINGS) if search and decoding.lm is not None else start
    decoder.beam_decoder.weights = weights = DecodingWeights(*best)
    rescoring_weights = None
    if rescorer is not None:
        lists = [NBestLists(item.reference, decoder.decode_all(item.emissions)) for item in first]
        log_probs: dict[str, float] = {}
        for item in lists:
            texts = [each.text for hypotheses in item.lists for each in hypotheses]
            log_probs.update(zip(texts, rescorer(texts), strict=True))
        rescoring_weights = tune_rescoring(lists, log_probs, weights)
        decoder.rescorer, decoder.rescoring_weights = rescorer, rescoring_weights
    after = _rates(decoder, first, rest)
    return TuningResult(weights, rescoring_weights, tuple(chosen), before, after, len(tried))


def _rates(
    decoder: Decoder, first: Sequence[UtteranceEmissions], rest: Sequence[UtteranceEmissions]
) -> Rates:
    one, two = ([item.decode(decoder) for item in part] for part in (first, rest))
    return Rates(*(word_errors(results).rate for results in (one, two, one + two)))


def _format(name: str, weights: DecodingWeights | RescoringWeights) -> str:
    return f"{name}: " + "  ".join(f"{name} {value:g}" for name, value in asdict(weights).items())


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
