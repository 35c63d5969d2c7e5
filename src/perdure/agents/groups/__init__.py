"""Groups: an agent and the one that looks after its memory while it sleeps."""
