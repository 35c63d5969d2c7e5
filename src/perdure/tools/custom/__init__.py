"""The tools that users write: from a stored source and a model's arguments to a job, and back."""
