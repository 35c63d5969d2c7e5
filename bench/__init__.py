"""Measures a V1 server against raw calls of the same scripted model server: `python -m bench`.

Only the public API is used, so that any compatible server can be measured by `--url`. Nothing here
is a test: figures depend on the machine, and `docs/performance.md` says which one gave them.
"""
