"""Folders that agents see, and the files they have open."""
