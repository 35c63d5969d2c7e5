"""What makes vectors of texts: a model inside, or one of a provider; and what keeps all entries embedded."""
