"""The embedded platform: data in this process, running in a process of its own."""
