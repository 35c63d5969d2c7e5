"""Random interleavings of everything that can happen to a history, and what must hold afterwards.

`python -m bench.interleave --seconds 60 --seed 7` sends, cancels, approves, denies, crashes, resets, forks
and compacts at once, round after round, and checks after each round that the conversation goes on: no vendor
would refuse what the model was told, what was taken on is stored once, and no run is left open. A seed gives
the same choices again, though not the same moments.
"""
