"""Small things every package needs: ids, clock, errors, paging. Knows nothing of agents."""
