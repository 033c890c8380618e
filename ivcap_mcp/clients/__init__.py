"""Configuration files of MCP clients: where they are, what goes into them, how they are edited."""
