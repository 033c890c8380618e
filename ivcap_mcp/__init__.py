"""IVCAP as an MCP server."""
