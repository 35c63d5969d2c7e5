"""Perdure as a server of the Model Context Protocol: agents and their memory for the clients of others."""
