"""Passages: texts that are searched, memories of an archive or pieces of a file."""
