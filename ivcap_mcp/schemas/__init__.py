"""How `ivcap_mcp.schema` and `ivcap_mcp.arguments` publish the schemas of services and speak about them.

All of it works on the `Doc` that `ivcap_client.schemas.reading` makes of an untrusted schema.
"""
