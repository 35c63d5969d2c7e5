"""Agents for OpenAI's clients: an agent is a model there, and the last message is what it is told.

An agent keeps its own history, so whatever else a client sends of the conversation is not read; nor
are settings such as `temperature` or `tools`, which are the agent's own.
"""
