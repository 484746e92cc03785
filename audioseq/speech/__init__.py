"""Speech recognition: waveforms to log-mel features, recurrent layers, CTC and text."""
