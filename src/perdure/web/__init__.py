"""The web: searched by the engine there is a key for, its pages read."""
