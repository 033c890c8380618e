"""The methods of `IVCAP`, one subject a file: each chooses the port, runs the core, wraps what came in a handle."""
