# /// script
# requires-python = ">=3.11"
# dependencies = ["ivcap-ai-tool>=0.7.22"]
# ///
"""A tool that fails while it is imported."""

raise RuntimeError("this tool cannot start, on purpose")
