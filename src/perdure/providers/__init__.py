"""Models and where they live: the model contract, vendors behind it, providers as rows, the catalog."""
