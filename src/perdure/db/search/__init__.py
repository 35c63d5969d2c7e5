"""The one search: by words and by meaning, the same on both databases."""
