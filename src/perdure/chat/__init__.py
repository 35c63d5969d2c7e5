"""Sending messages to agents: requests in, frames or answers out."""
