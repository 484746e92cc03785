"""Tune the weights of the search and of rescoring for the lowest word error rate on given recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from audioseq.data import Utterance
from audioseq.errors import DataError
from audioseq.speech.decoding.confidence import CONFIDENCE_KEY, Calibration, Method
from audioseq.speech.decoding.decoder import Decoder, DecodingOptions
from audioseq.speech.decoding.nbest import Scorer, rescore
from audioseq.speech.decoding.weights import RESCORING_KEY, DecodingWeights, RescoringWeights
from audioseq.speech.evaluation.calibrate import (
    DecodedUtterance,
    calibration_error,
    collect_evidence,
    fit_calibration,
)
from audioseq.speech.evaluation.evaluate import UtteranceEmissions, utterance_emissions
from audioseq.speech.evaluation.tune_rescoring import tune_rescoring
from audioseq.speech.metrics import UtteranceResult, word_errors
from audioseq.speech.pipeline import Recogniser
from audioseq.text.tokenizer import Tokenizer

INITIAL_STEPS = (0.2, 0.8, 0.4, 1.0)
"""First steps of alpha, beta, OOV penalty and blank penalty."""
HALVINGS = 2
"""How often the steps are halved."""

Point = tuple[float, ...]
"""Values of the weights, in the order of `INITIAL_STEPS`."""


Decoded = list[DecodedUtterance]


class Rates(NamedTuple):
    """Word error rates."""

    chosen: float
    """Of the speakers that the weights are tuned on."""
    rest: float
    """Of the other speakers."""
    all: float


class CalibrationErrors(NamedTuple):
    """Expected calibration errors of the other speakers, on which the calibration is not fitted."""

    before: float
    after: float


@dataclass(frozen=True)
class TuningResult:
    """Tuned weights and calibrations, with errors before and after."""

    weights: DecodingWeights
    rescoring_weights: RescoringWeights | None
    """None without a rescorer."""
    calibrations: Mapping[Method, Calibration]
    calibration_errors: Mapping[Method, CalibrationErrors]
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
        parts = {"search": self.weights, "rescoring": self.rescoring_weights}
        weights = [f"{name}: {_format(part)}" for name, part in parts.items() if part is not None]
        rates = zip(("tuning set", "other speakers", "all speakers"), self.before, self.after, strict=True)
        errors = self.calibration_errors.items()
        return "\n".join(
            [
                *weights,
                f"{self.trials} trials; tuned on the speakers {', '.join(self.speakers)}",
                "WER                      before    after",
                *(f"{name:22}  {before:7.2%}  {after:7.2%}" for name, before, after in rates),
                "calibration error",
                *(f"{name:22}  {before:7.3f}  {after:7.3f}" for name, (before, after) in errors),
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values, for JSON and model cards."""
        return {
            **asdict(self.weights),
            **({RESCORING_KEY: asdict(self.rescoring_weights)} if self.rescoring_weights else {}),
            CONFIDENCE_KEY: {method: asdict(each) for method, each in self.calibrations.items()},
            "calibration_errors": {
                method: each._asdict() for method, each in self.calibration_errors.items()
            },
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
    """Tune the decoding weights and the calibration of confidences on half of the speakers.

    First the weights of the search, without rescoring; each trial decodes all recordings. Then the weights of
    rescoring, on the n-best lists of the tuned search. The calibrations are fitted to the final words.

    Args:
        recogniser: the acoustic model.
        utterances: of at least two speakers; the weights are tuned on the first half of them, by name.
        decoding: options with a language model; the search starts from their weights, or those of the model
            card.
        search: whether to tune the weights of the search; otherwise only those of rescoring.
    Returns:
        the weights and calibrations, and errors of both halves before and after.
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
    found = _decode(decoder, first), _decode(decoder, rest)
    before = _rates(*found)
    tried: dict[Point, float] = {start: before.chosen}

    def cost(point: Point) -> float:
        if point not in tried:
            decoder.beam_decoder.weights = DecodingWeights(*point)
            tried[point] = word_errors([item.decode(decoder) for item in first]).rate
        return tried[point]

    best = minimise(cost, start, INITIAL_STEPS, HALVINGS) if search and decoding.lm is not None else start
    decoder.beam_decoder.weights = weights = DecodingWeights(*best)
    if best != start:
        found = _decode(decoder, first), _decode(decoder, rest)
    rescoring_weights = None
    if rescorer is not None:
        log_probs = _score(rescorer, chain(*found))
        rescoring_weights = tune_rescoring(found[0], log_probs, weights)
        one, two = (_rescore(part, log_probs, weights, rescoring_weights) for part in found)
        found = one, two
    calibrations, errors = _calibrate(*found, recogniser.tokenizer)
    after = _rates(*found)
    return TuningResult(
        weights, rescoring_weights, calibrations, errors, tuple(chosen), before, after, len(tried)
    )


def _decode(decoder: Decoder, part: Sequence[UtteranceEmissions]) -> Decoded:
    return [
        DecodedUtterance(each.reference, each.emissions, decoder.decode_all(each.emissions)) for each in part
    ]


def _score(scorer: Scorer, utterances: Iterable[DecodedUtterance]) -> dict[str, float]:
    """Return the log-probability of each text of all lists."""
    known: dict[str, float] = {}
    for utterance in utterances:
        texts = [each.text for hypotheses in utterance.lists for each in hypotheses]
        known.update(zip(texts, scorer(texts), strict=True))
    return known


def _rescore(
    part: Decoded, log_probs: Mapping[str, float], search: DecodingWeights, weights: RescoringWeights
) -> Decoded:
    def scorer(texts: Sequence[str]) -> list[float]:
        return [log_probs[text] for text in texts]

    return [item._replace(lists=rescore(item.lists, scorer, search, weights)) for item in part]


def _calibrate(
    first: Decoded, rest: Decoded, tokenizer: Tokenizer
) -> tuple[dict[Method, Calibration], dict[Method, CalibrationErrors]]:
    """Fit a calibration of each method on one part, and evaluate it on the other."""
    calibrations: dict[Method, Calibration] = {}
    errors: dict[Method, CalibrationErrors] = {}
    methods: tuple[Method, ...] = "beam", "greedy"
    for method in methods:
        fitted, held_out = (collect_evidence(part, tokenizer, method) for part in (first, rest))
        calibrations[method] = fit_calibration(fitted, posteriors=method == "beam")
        posteriors = 1 / (1 + np.exp(-held_out.logits[:, 0]))
        errors[method] = CalibrationErrors(
            calibration_error(posteriors, held_out.correct),
            calibration_error(calibrations[method](held_out.logits), held_out.correct),
        )
    return calibrations, errors


def _rates(first: Decoded, rest: Decoded) -> Rates:
    one, two = ([UtteranceResult("", item.reference, item.text) for item in part] for part in (first, rest))
    return Rates(*(word_errors(results).rate for results in (one, two, one + two)))


def _format(weights: DecodingWeights | RescoringWeights) -> str:
    return "  ".join(f"{name} {value:g}" for name, value in asdict(weights).items())


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
