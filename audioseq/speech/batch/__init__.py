"""Batch transcription: inputs, shards, resumable runs that write a folder of transcripts."""
