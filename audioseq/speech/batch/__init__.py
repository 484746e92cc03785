"""Many recordings at once: inputs, batched transcription, resumable runs over a folder."""
