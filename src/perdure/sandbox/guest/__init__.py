"""What runs inside the sandbox: the standard library only, and nothing of Perdure's other packages.

Started as scripts by an interpreter that is told where this folder is, never imported by the server, apart
from what both sides must spell alike (`seccomp`, `frames`).
"""
