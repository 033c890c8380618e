# /// script
# requires-python = ">=3.11"
# dependencies = ["ivcap-ai-tool>=0.7.22", "pip==0.0.0.dev0"]
# ///
"""A tool whose environment cannot be built: the package exists, that version of it never did."""

from ivcap_ai_tool import logging_init, start_tool_server
from ivcap_service import Service

logging_init()
start_tool_server(Service(name="bad_requirement", contact={"name": "ivcap-mcp", "email": "ivcap-mcp@example.com"}))
