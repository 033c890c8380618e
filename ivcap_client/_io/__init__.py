"""The ways out of the process: HTTP, tus, files and time."""
