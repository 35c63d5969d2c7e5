"""What an agent keeps in view: blocks and the tools that edit them."""
