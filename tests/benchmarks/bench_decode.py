"""What decoding costs beside the acoustic model, on one thread, the model's files loaded already.

    python tests/benchmarks/bench_decode.py MANIFEST [--model MODEL] [--lm FILE] [--widths 16 100 400]

Printed are core-hours per hour of audio (processor time of this process, so that other work on the machine
does not count) and the word error rate: of the emissions, and of each way to decode them.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from pathlib import Path

from audioseq.data import read_manifest
from audioseq.models import default_for
from audioseq.speech import pipeline
from audioseq.speech.decoding.beam import BeamLimits
from audioseq.speech.decoding.decoder import DecodingOptions
from audioseq.speech.evaluation.evaluate import utterance_emissions
from audioseq.speech.metrics import word_errors

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default=default_for("speech"))
    parser.add_argument("--lm")
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 100, 400])
    parser.add_argument("--every", type=int, default=1, help="take one utterance of so many")
    arguments = parser.parse_args()
    utterances = read_manifest(arguments.manifest)[:: arguments.every]
    hours = sum(utterance.duration for utterance in utterances) / 3600
    recogniser = pipeline.load_recogniser(arguments.model, "cpu")

    began = time.process_time()
    heard = [utterance_emissions(recogniser, utterance) for utterance in utterances]
    print(f"{hours:.2f} h of audio; emissions      {(time.process_time() - began) / 3600 / hours:.4f}")
    for lm in (None, arguments.lm) if arguments.lm else (None,):
        for width in arguments.widths:
            search = recogniser.decoder(DecodingOptions(lm=lm, limits=BeamLimits(beam_size=width)))
            began = time.process_time()
            rate = word_errors([item.decode(search) for item in heard]).rate
            spent = (time.process_time() - began) / 3600 / hours
            print(f"width {width:4d}, {'with' if lm else 'no'} lm  {spent:.4f}   WER {rate:.2%}", flush=True)
