"""The wire shapes of agents; names and fields are those the official clients know."""
