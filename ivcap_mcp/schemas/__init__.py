"""How `ivcap_mcp.schema` and `ivcap_mcp.arguments` read, publish and check the schemas of services.

`reading` makes of an untrusted schema a `Doc`: a well-formed 2020-12 schema of our own, in which nothing is malformed,
remote or endless. Everything else works on that.
"""
