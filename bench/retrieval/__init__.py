"""Whether search finds what answers a question: evidence retrieval on LoCoMo, through the public API."""
