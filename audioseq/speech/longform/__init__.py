"""Recordings of any length: chunking, merging of chunks, speech detection."""
