"""Kills servers hard at random moments while agents are at work, and checks what is left.

`python -m bench.kills --kills 200` on SQLite with one server, `--database-url postgres` with two that share
a database: one is killed, the other goes on. Clients note what they were told; after each kill all of that
must be stored, once, no run may be left open, and every agent must answer its next message.
"""
