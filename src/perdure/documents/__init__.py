"""What files and pages say, as text that a model can read."""
