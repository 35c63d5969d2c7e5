"""Tools of other servers by the Model Context Protocol: the servers, their tools, calling them."""
