"""Folders and files: uploaded, read in the background, parted into passages that are searched."""
