"""OpenAI's protocol, with the unmodified client of OpenAI."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import openai
import pytest

from audioseq.speech import writers
from audioseq.speech.transcript import Transcript
from tests.server.live import RATE, Server, noise, wav

CLIP = noise(3.0)


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.address}/v1", api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def expected(server: Server) -> Transcript:
    """The transcript of the clip without a server."""
    return server.service.find_model().recogniser.recogniser.transcribe(wav_array(CLIP), RATE, words=True)


def wav_array(samples: np.ndarray) -> np.ndarray:
    """Return samples as a wav file holds them."""
    return (np.round(samples * 32768).clip(-32768, 32767)).astype(np.int16)


def create(client: openai.OpenAI, **options: Any) -> Any:
    options = {"model": "whisper-1", "file": ("clip.wav", wav(CLIP)), **options}
    return client.audio.transcriptions.create(**options)


def test_the_text_is_that_of_the_recogniser(client: openai.OpenAI, expected: Transcript) -> None:
    found = create(client)
    assert len(expected.words) > 3
    assert found.text == expected.text
    assert found.usage.seconds == 3
    assert found.languages == []  # of a file, they are not known


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
def test_plain_formats_are_those_of_the_writers(
    client: openai.OpenAI, expected: Transcript, form: str
) -> None:
    assert create(client, response_format=form) == writers.write(expected, form.replace("text", "txt"))


def test_verbose_json_has_segments_and_words(client: openai.OpenAI, expected: Transcript) -> None:
    found = create(client, response_format="verbose_json")
    assert (found.text, found.duration, found.words) == (expected.text, 3.0, None)
    assert [(s.id, s.text) for s in found.segments] == [(n, s.text) for n, s in enumerate(expected.segments)]
    assert all(s.avg_logprob < 0 and s.compression_ratio > 0 and s.end > s.start for s in found.segments)
    words = create(client, response_format="verbose_json", timestamp_granularities=["word"])
    assert words.segments is None
    assert [word.word for word in words.words] == [word.word for word in expected.words]
    assert [word.start for word in words.words] == [round(word.start, 3) for word in expected.words]
    both = create(client, response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert both.words and both.segments


def test_logprobs_are_those_of_the_words(client: openai.OpenAI, expected: Transcript) -> None:
    found = create(client, include=["logprobs"])
    assert [each.token for each in found.logprobs] == [word.word for word in expected.words]
    confidences = [word.confidence for word in expected.words]
    assert np.exp([each.logprob for each in found.logprobs]) == pytest.approx(confidences, abs=1e-3)


def test_a_stream_sends_segments_and_then_the_text(client: openai.OpenAI) -> None:
    long = np.concatenate([noise(15.0, 1), np.zeros(2 * RATE, np.float32), noise(15.0, 2)])
    recording = ("long.wav", wav(long))
    events = list(create(client, file=recording, stream=True, include=["logprobs"]))
    *deltas, done = events
    assert [event.type for event in deltas] == ["transcript.text.delta"] * len(deltas)
    assert len(deltas) > 1
    assert done.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas) == done.text == create(client, file=recording).text
    assert sum(len(event.logprobs) for event in deltas) == len(done.logprobs)


def test_the_asynchronous_client_gets_the_same(server: Server, expected: Transcript) -> None:
    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{server.address}/v1", api_key="none") as client:
            file = ("clip.wav", wav(CLIP))
            plain = await client.audio.transcriptions.create(model="whisper-1", file=file)
            stream = await client.audio.transcriptions.create(model="whisper-1", file=file, stream=True)
            return [plain.text, *[event.text async for event in stream if hasattr(event, "text")]]

    assert asyncio.run(ask()) == [expected.text] * 2


def test_concurrent_requests_get_their_own_texts(client: openai.OpenAI, server: Server) -> None:
    clips = [noise(0.5 + 0.25 * (seed % 7), seed) for seed in range(24)]
    recogniser = server.service.find_model().recogniser.recogniser
    alone = [recogniser.transcribe(wav_array(clip), RATE).text for clip in clips]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda clip: create(client, file=("a.wav", wav(clip))).text, clips))
    assert together == alone
    assert len(set(alone)) > 12


def test_prompts_and_keywords_are_hotwords(
    client: openai.OpenAI, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    transcribe = server.service.transcribe

    def spy(*arguments: Any, **options: Any) -> Any:
        seen.append(options["hotwords"])
        return transcribe(*arguments, **options)

    monkeypatch.setattr(server.service, "transcribe", spy)
    create(client, prompt="Umbrella, ada lovelace. It rained when we saw Mount Fuji from here.")
    create(client, extra_body={"keywords": ["Bäcker-Straße", "pod"]}, prompt="日本, C++")
    assert seen == [["umbrella", "ada lovelace", "mount fuji"], ["backer strasse", "pod"]]


def test_models_are_listed(client: openai.OpenAI) -> None:
    first, second = client.models.list()
    assert (first.id, first.object, first.owned_by) == ("babbler", "model", "audioseq")
    assert second.id == "mumbler"
    assert client.models.retrieve("mumbler") == second
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")


def test_each_model_answers_for_its_name(client: openai.OpenAI, server: Server, expected: Transcript) -> None:
    other = server.service.find_model("mumbler").recogniser.recogniser.transcribe(wav_array(CLIP), RATE)
    assert other.text != expected.text
    with ThreadPoolExecutor(8) as pool:  # also in batches of both
        found = list(pool.map(lambda name: create(client, model=name).text, ["babbler", "mumbler"] * 8))
    assert found == [expected.text, other.text] * 8


def test_fields_without_effect_are_accepted(client: openai.OpenAI, expected: Transcript) -> None:
    vad = {"type": "server_vad", "threshold": 0.3}
    assert create(client, temperature=0.4, language="en", chunking_strategy=vad).text == expected.text
    assert create(client, model="babbler", chunking_strategy="auto").text == expected.text


@pytest.mark.parametrize(
    ("options", "error", "code", "param"),
    [
        ({"model": "whisper-9"}, openai.NotFoundError, "model_not_found", "model"),
        ({"response_format": "xml"}, openai.BadRequestError, "invalid_value", "response_format"),
        ({"response_format": "diarized_json"}, openai.BadRequestError, "invalid_value", "response_format"),
        ({"temperature": 3}, openai.BadRequestError, "invalid_value", "temperature"),
        ({"timestamp_granularities": ["word"]}, openai.BadRequestError, "invalid_value", None),
        ({"include": ["logprobs"], "response_format": "text"}, openai.BadRequestError, "invalid_value", None),
        ({"stream": True, "response_format": "srt"}, openai.BadRequestError, "invalid_value", "stream"),
        ({"extra_body": {"vad_filter": 1}}, openai.BadRequestError, "unknown_parameter", "vad_filter"),
        ({"extra_body": {"keywords": ["日本"]}}, openai.BadRequestError, "invalid_value", "keywords"),
        ({"prompt": "a" * 10_001}, openai.BadRequestError, "invalid_value", "prompt"),
        ({"file": ("a.wav", b"")}, openai.BadRequestError, "invalid_value", None),
        ({"file": ("a.wav", wav(noise(0)))}, openai.BadRequestError, "invalid_value", None),
        ({"file": ("a.wav", b"once upon a time\n" * 99)}, openai.BadRequestError, "invalid_value", None),
        ({"file": ("a.wav", b"RIFF"), "stream": True}, openai.BadRequestError, "invalid_value", None),
    ],
    ids=str,
)
def test_mistakes_are_errors_of_openai(
    client: openai.OpenAI, options: dict[str, Any], error: type[openai.APIStatusError], code: str, param: str
) -> None:
    with pytest.raises(error) as caught:
        create(client, **options)
    assert caught.value.code == code
    assert param is None or caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert "\n" not in str(caught.value.body["message"])  # type: ignore[index]


def test_a_raw_request_as_of_curl(server: Server, expected: Transcript) -> None:
    answer = httpx.post(
        f"{server.address}/v1/audio/transcriptions",
        data={"model": "whisper-1", "response_format": "text"},
        files={"file": wav(CLIP)},
    )
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.split() == expected.text.split()
    nothing = httpx.post(f"{server.address}/v1/audio/transcriptions", data={"model": "whisper-1"})
    assert nothing.status_code == 400
    assert nothing.json()["error"]["type"] == "invalid_request_error"
    missing = httpx.post(
        f"{server.address}/v1/audio/transcriptions", files={"model": (None, "whisper-1"), "x": (None, "y")}
    )
    assert missing.json()["error"]["param"] == "file"
    assert httpx.get(f"{server.address}/v1/audio/transcriptions").status_code == 405
