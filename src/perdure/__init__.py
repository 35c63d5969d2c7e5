"""Perdure: the self-hosted home of stateful agents."""

__version__ = "0.1.0"
