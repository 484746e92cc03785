"""Train a model for each seed, tune its beam search on the validation pairs, and test it."""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from baselines import learn_dictionary, word_by_word
from decode import TranslationPipeline, find_hypotheses, ranked
from pairs import Pair, import_optional, read_pairs
from plot import draw_learning
from translation import TranslationConfig, TranslationTask, bleu

from audioseq import checkpoint
from audioseq.recipe import write_results
from audioseq.training import fit


def run(config: TranslationConfig, run_dir: Path, hardware: str, *, resume: bool) -> dict[str, Any]:
    """Run the experiment, with a folder for each seed; return the results."""
    train, valid, test = (
        read_pairs(files) for files in (config.data.train, config.data.valid, config.data.test)
    )
    runs = []
    for seed in config.seeds:
        folder = run_dir / f"seed-{seed}"
        if resume and (folder / "results.json").exists():
            runs.append(json.loads((folder / "results.json").read_text(encoding="utf-8")))
            continue
        training = config.training.model_copy(update={"seed": seed})
        seed_config = config.model_copy(update={"training": training})
        runs.append(train_one(seed_config, folder, train, valid, test, resume=resume))
        write_results(folder, runs[-1])
    sources, targets = zip(*test, strict=True)
    dictionary, metric = learn_dictionary(train), import_optional("sacrebleu").BLEU()
    copied = metric.corpus_score(list(sources), [list(targets)]).score
    scores = {name: [results[name] for results in runs] for name in ("valid", "test", "test_lower_case")}
    figures = {name: round(statistics.mean(values), 2) for name, values in scores.items()}
    if len(runs) > 1:
        figures["test_deviation"] = round(statistics.stdev(scores["test"]), 2)
    return {
        "headline": f"{figures['test']:.1f} BLEU",
        "date": date.today().isoformat(),
        "hardware": hardware,
        "signature": str(metric.get_signature()),
        **figures,
        "baselines": {
            "copy": round(copied, 2),
            "dictionary": round(bleu([word_by_word(text, dictionary) for text in sources], targets), 2),
        },
        "runs": runs,
    }


def train_one(
    config: TranslationConfig,
    folder: Path,
    train: list[Pair],
    valid: list[Pair],
    test: list[Pair],
    *,
    resume: bool,
) -> dict[str, Any]:
    """Train one model, tune its beam search, and write `translator.safetensors`; return the results."""
    started = time.process_time()
    resumed = (folder / "state.pt").exists()
    task = TranslationTask(config, train, valid)
    best = fit(task, config.training, folder, resume=resume, card=config.card).best
    minutes = round((time.process_time() - started) / 60, 1)
    stored, final = checkpoint.load(best), folder / "translator.safetensors"
    checkpoint.save(final, stored.weights, stored.header, precision="fp16")
    # The written file is evaluated, because its weights are in half precision.
    pipeline, results = tune(TranslationPipeline.load(final), valid, config)
    search = {"beams": [pipeline.beam], "penalties": [pipeline.penalty]}
    header = replace(stored.header, config=stored.header.config | {"search": search})
    checkpoint.save(final, stored.weights, header, precision="fp16")
    sources, targets = zip(*test, strict=True)
    texts = [ranking[0].text for ranking in pipeline.translate(sources)]
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    scores = [line["valid"]["bleu"] for line in lines if "valid" in line and "average" not in line]
    return {
        "seed": config.training.seed,
        "parameters": sum(weight.numel() for weight in pipeline.model.parameters()),
        "beam": pipeline.beam,
        "penalty": pipeline.penalty,
        "valid": max(figures["bleu"] for figures in results),
        "test": round(bleu(texts, targets), 2),
        "test_lower_case": round(bleu(texts, targets, lowercase=True), 2),
        "valid_by_search": results,
        "valid_by_pass": [round(score, 2) for score in scores],
        "cpu_minutes": None if resumed else minutes,  # the time before the interruption is unknown
    }


def tune(
    pipeline: TranslationPipeline, valid: list[Pair], config: TranslationConfig
) -> tuple[TranslationPipeline, list[dict[str, float]]]:
    """Evaluate all beam sizes and penalties; return a pipeline with the best, and the BLEU of each.

    The penalty only reorders the hypotheses of a beam, so one search is sufficient for each beam size.
    """
    sources, targets = zip(*valid, strict=True)
    results = []
    for beam in config.search.beams:
        found = find_hypotheses(pipeline.model, pipeline.subwords, sources, beam)
        for penalty in config.search.penalties if beam > 1 else config.search.penalties[:1]:
            texts = [pipeline.subwords.decode(ranked(row, penalty)[0].tokens) for row in found]
            results.append({"beam": beam, "penalty": penalty, "bleu": round(bleu(texts, targets), 2)})
    best = max(results, key=lambda figures: figures["bleu"])  # of equal ones the smallest beam
    return replace(pipeline, beam=int(best["beam"]), penalty=best["penalty"]), results


def publish(results: dict[str, Any], folder: Path) -> None:
    """Write results.json and the learning curve into a folder."""
    write_results(folder, results)
    draw_learning(results).savefig(folder / "learning.png", dpi=110)
