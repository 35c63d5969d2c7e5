"""The agent loop: ask, act, repeat. One, and it streams."""
