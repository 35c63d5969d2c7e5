"""Doubles for tests of Perdure and of what is built on it."""
