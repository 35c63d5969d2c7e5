"""Search at scale: how fast, how exact and how large with a hundred thousand or a million passages."""
