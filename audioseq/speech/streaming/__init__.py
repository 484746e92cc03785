"""Live transcription: blocks of samples in, partial and final results out."""
