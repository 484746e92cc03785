"""Transcript formats: plain text, JSON, tables, subtitles and phonetic annotations."""

from audioseq.speech.writers.cues import SubtitleOptions
from audioseq.speech.writers.write import FORMATS, RAW_FORMATS, write

__all__ = ["FORMATS", "RAW_FORMATS", "SubtitleOptions", "write"]
