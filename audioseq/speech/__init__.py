"""Speech recognition: waveform to log-mel to recurrent layers to CTC to text."""
