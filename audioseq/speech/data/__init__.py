"""Training data: corpora, manifests, the waveform cache, batches, synthetic text-only data."""
