"""The way out of a sandbox: a proxy that lets a job reach what it was granted, and nothing else."""
