"""Versions of memory blocks: what each change made of a block, in few bytes."""
