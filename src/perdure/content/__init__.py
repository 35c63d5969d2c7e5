"""What was said, in no vendor's format: roles, parts, and their stored form."""
