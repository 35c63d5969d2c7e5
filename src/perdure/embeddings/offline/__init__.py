"""The embedding model that comes with the install: all-MiniLM-L6-v2 in a process of its own."""
