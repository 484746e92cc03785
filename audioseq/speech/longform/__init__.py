"""Long recordings: chunking, merging of the chunks, and speech detection."""
