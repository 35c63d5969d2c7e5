"""Builds the application: settings, wiring, auth, errors."""
