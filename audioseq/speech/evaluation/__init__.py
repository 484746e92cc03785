"""Error rates, error analysis, and tuning of decoding weights."""
