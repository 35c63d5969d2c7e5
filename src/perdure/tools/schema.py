"""The JSON schema of a built-in tool, from its name, docstring and hints."""
