"""Archives: what agents remember beyond their context, and what they were given to know."""
