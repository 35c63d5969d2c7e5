"""Who owns what: organizations, users, API keys, and the key ring that seals their secrets."""
