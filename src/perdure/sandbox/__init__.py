"""Runs code that nobody vouches for, where it can harm nobody."""
