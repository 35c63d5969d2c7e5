"""Conversations: further histories of one agent, each with its own context, blocks and model."""
