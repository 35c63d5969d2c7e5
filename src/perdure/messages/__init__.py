"""What was said, stored: messages, threads, and how they look on the wire."""
