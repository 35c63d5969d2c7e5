"""Keeping a conversation within its model's window: measuring, cutting, summarising."""
