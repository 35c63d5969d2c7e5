"""The past of memory blocks: read, compared, and gone back to; it is never rewritten."""
