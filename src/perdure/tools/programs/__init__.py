"""Programs of a model that call its agent's tools."""
