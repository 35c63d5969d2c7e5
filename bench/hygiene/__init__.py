"""How clean an agent's memory stays over a long life."""
