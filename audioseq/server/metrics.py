"""Metrics in the format of Prometheus."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

LATENCY_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Upper limits of the classes of the latency, seconds."""
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Folder in which several worker processes share their metrics."""


class Metrics:
    """The metrics of a process, or with several workers of all of them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "audioseq_requests_total",
            "Requests by address and status",
            ("path", "status"),
            registry=self.registry,
        )
        self.latency = Histogram(
            "audioseq_request_seconds",
            "Time of a request, seconds",
            ("path",),
            buckets=LATENCY_SECONDS,
            registry=self.registry,
        )
        self.refused = Counter(
            "audioseq_refused_total", "Requests refused because of a full queue", registry=self.registry
        )
        self.active = Gauge(
            "audioseq_queue_length",
            "Requests that are being served",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.audio = Counter(
            "audioseq_audio_seconds_total", "Seconds of audio transcribed", registry=self.registry
        )
        self.work = Counter(
            "audioseq_transcription_seconds_total", "Time of transcriptions, seconds", registry=self.registry
        )
        self.factor = Gauge(
            "audioseq_real_time_factor",
            "Time of the last transcription per time of its audio",
            multiprocess_mode="mostrecent",
            registry=self.registry,
        )

    def add_transcript(self, audio_seconds: float, seconds: float) -> None:
        """Count a transcription of some seconds of audio, which took some seconds."""
        self.audio.inc(audio_seconds)
        self.work.inc(seconds)
        if audio_seconds:
            self.factor.set(seconds / audio_seconds)

    def write(self) -> bytes:
        """Return the metrics as text."""
        if FOLDER_VARIABLE not in os.environ:
            return generate_latest(self.registry)
        shared = CollectorRegistry()
        multiprocess.MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)
