"""The objects of OpenAI's protocol that hold transcripts."""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Sequence
from typing import Any

from audioseq.server.speech import SpeechModel
from audioseq.speech.transcript import Segment, Transcript, Word

MIN_CONFIDENCE = 1e-6
"""Lower limit of a confidence whose logarithm is reported."""


def to_model(model: SpeechModel) -> dict[str, Any]:
    """Return a speech model; the time of its creation is that of its file, in seconds since 1970."""
    return {
        "id": model.name,
        "object": "model",
        "created": int(model.path.stat().st_mtime),
        "owned_by": "audioseq",
    }


def to_json(transcript: Transcript, languages: Sequence[str], *, logprobs: bool) -> dict[str, Any]:
    """Return the text of a transcript, its duration and, if wanted, the log probabilities of its words.

    Args:
        transcript: the transcript, with words.
        languages: codes of its languages, such as `en`; empty if they are not known.
        logprobs: whether to add the log probabilities.
    """
    found: dict[str, Any] = {
        "text": transcript.text,
        "languages": _languages(languages),
        "usage": _usage(transcript),
    }
    if logprobs:
        found["logprobs"] = to_logprobs(transcript.words)
    return found


def to_verbose_json(transcript: Transcript, language: str, parts: Collection[str]) -> dict[str, Any]:
    """Return a transcript with the times of its segments, its words or both.

    Args:
        transcript: the transcript, with words.
        language: name of its language.
        parts: `segment`, `word` or both.
    """
    found: dict[str, Any] = {
        "task": "transcribe",
        "language": language,
        "duration": round(transcript.duration, 3),
        "text": transcript.text,
        "usage": _usage(transcript),
    }
    if "segment" in parts:
        found["segments"] = [
            _to_segment(number, segment, transcript.words)
            for number, segment in enumerate(transcript.segments)
        ]
    if "word" in parts:
        found["words"] = [
            {"word": word.word, "start": round(word.start, 3), "end": round(word.end, 3)}
            for word in transcript.words
        ]
    return found


def _to_segment(number: int, segment: Segment, words: Sequence[Word]) -> dict[str, Any]:
    """Return a segment with the fields of Whisper.

    The mean log probability is that of its words. There are no tokens, since those of the model are not those
    of the text. The probability that there is no speech is 0, as segments without speech are left out.
    """
    inside = [word for word in words if segment.start <= word.start < segment.end]
    encoded = segment.text.encode()
    return {
        "id": number,
        "seek": round(segment.start * 100),
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(sum(map(_logprob, inside)) / max(1, len(inside)), 4),
        "compression_ratio": round(len(encoded) / len(zlib.compress(encoded)), 3),
        "no_speech_prob": 0.0,
    }


def to_delta(segment: Segment, words: Sequence[Word], *, first: bool, logprobs: bool) -> dict[str, Any]:
    """Return the event of a segment of the text; the deltas together are the text."""
    event: dict[str, Any] = {
        "type": "transcript.text.delta",
        "delta": segment.text if first else f" {segment.text}",
    }
    if logprobs:
        event["logprobs"] = to_logprobs(words)
    return event


def to_done(transcript: Transcript, languages: Sequence[str], *, logprobs: bool) -> dict[str, Any]:
    """Return the event of the whole text; the arguments are those of `to_json`."""
    event: dict[str, Any] = {
        "type": "transcript.text.done",
        "text": transcript.text,
        "languages": _languages(languages),
    }
    if logprobs:
        event["logprobs"] = to_logprobs(transcript.words)
    return event


def to_logprobs(words: Sequence[Word]) -> list[dict[str, Any]]:
    """Return each word as a token, with the logarithm of its confidence."""
    return [
        {"token": word.word, "bytes": list(word.word.encode()), "logprob": round(_logprob(word), 4)}
        for word in words
    ]


def _logprob(word: Word) -> float:
    return math.log(max(MIN_CONFIDENCE, word.confidence))


def _languages(codes: Sequence[str]) -> list[dict[str, str]]:
    return [{"code": code} for code in codes]


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(transcript.duration)}
