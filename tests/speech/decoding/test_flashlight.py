"""The beam search against flashlight-text, a decoder in C++, with the same settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audioseq.speech.decoding.beam import BeamDecoder
from audioseq.speech.decoding.beam_search import BeamLimits
from audioseq.speech.decoding.weights import DecodingWeights
from tests.speech.decoding.test_beam import CHARACTERS, random_log_probs
from tests.speech.words import Bigrams

decoder = pytest.importorskip("flashlight.lib.text.decoder")
UTTERANCES, FRAMES, SCALE = 100, 25, 5.0
WORDS = ["a", "b", "ab", "ba", "abb", "bab", "aab"]
LIMITS = BeamLimits(beam_size=500, beam_size_token=10, beam_threshold=100, blank_skip_threshold=1.0)


def settings(kind: str, **language: float) -> object:
    options = dict(
        beam_size=LIMITS.beam_size,
        beam_size_token=LIMITS.beam_size_token,
        beam_threshold=LIMITS.beam_threshold,
        sil_score=0.0,
        log_add=True,
        criterion_type=decoder.CriterionType.CTC,
    )
    return getattr(decoder, kind)(**options, **language)


def test_the_best_text_is_the_same_without_a_language_model() -> None:
    pieces = CHARACTERS[:-1]
    ours = BeamDecoder(pieces, limits=LIMITS)
    theirs = decoder.LexiconFreeDecoder(
        settings("LexiconFreeDecoderOptions", lm_weight=0.0), decoder.ZeroLM(), -1, 0, []
    )
    same = 0
    for seed in range(UTTERANCES):
        log_probs = random_log_probs(seed, FRAMES, len(pieces), SCALE).astype(np.float32)
        emissions = np.ascontiguousarray(log_probs)
        (best, *_) = theirs.decode(emissions.ctypes.data, *emissions.shape)
        path = [token for token in best.tokens if token >= 0]
        runs = [token for token, before in zip(path, [0, *path], strict=False) if token != before]
        same += "".join(pieces[token] for token in runs) == ours(log_probs)[0].text
    assert same >= 0.98 * UTTERANCES


def test_the_best_words_are_the_same_with_a_language_model(tmp_path: Path) -> None:
    kenlm = pytest.importorskip("flashlight.lib.text.flashlight_lib_text_decoder_kenlm")
    dictionary = pytest.importorskip("flashlight.lib.text.dictionary").Dictionary(WORDS)

    model, weights = Bigrams(WORDS, seed=1), DecodingWeights(alpha=0.8, beta=0.5, oov_penalty=-1000.0)
    arpa = tmp_path / "words.arpa"
    arpa.write_text(as_arpa(model))
    theirs_model = kenlm.KenLM(str(arpa), dictionary)
    trie = decoder.Trie(len(CHARACTERS), CHARACTERS.index(" "))
    for index, word in enumerate(WORDS):
        _, score = theirs_model.score(theirs_model.start(False), index)
        trie.insert([*(CHARACTERS.index(letter) for letter in word), CHARACTERS.index(" ")], index, score)
    trie.smear(decoder.SmearingMode.MAX)
    options = settings(
        "LexiconDecoderOptions",
        lm_weight=weights.alpha * np.log(10),  # KenLM returns decimal logarithms
        word_score=weights.beta,
        unk_score=-np.inf,
    )
    theirs = decoder.LexiconDecoder(options, trie, theirs_model, CHARACTERS.index(" "), 0, -1, [], False)
    ours = BeamDecoder(CHARACTERS, model, weights=weights, limits=LIMITS)
    same = 0
    for seed in range(UTTERANCES):
        log_probs = random_log_probs(seed, FRAMES, len(CHARACTERS), SCALE).astype(np.float32)
        # flashlight requires a space after the last word.
        log_probs[-1] = np.log([0.01, 0.01, 0.01, 0.97])
        emissions = np.ascontiguousarray(log_probs)
        (best, *_) = theirs.decode(emissions.ctypes.data, *emissions.shape)
        words = [WORDS[word] for word in best.words if word >= 0]
        same += " ".join(words) == ours(log_probs)[0].text
    assert same >= 0.98 * UTTERANCES


def as_arpa(model: Bigrams) -> str:
    """Write the table of all word pairs as an ARPA file; no pair backs off."""
    words, logs = model.vocabulary.words, model.table / np.log(10)
    unigrams = [f"{-99 if word == '<s>' else -2}\t{word}\t0" for word in words]
    pairs = [
        f"{logs[i, j]:.7f}\t{before} {word}"
        for i, before in enumerate(words)
        for j, word in enumerate(words)
        if before != "</s>" and word != "<s>"
    ]
    head = ["\\data\\", f"ngram 1={len(unigrams)}", f"ngram 2={len(pairs)}", ""]
    return "\n".join([*head, "\\1-grams:", *unigrams, "", "\\2-grams:", *pairs, "", "\\end\\", ""])
