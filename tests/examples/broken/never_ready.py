# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""A tool that runs and never opens its port."""

import sys
import time

print("never ready, on purpose", file=sys.stderr, flush=True)
while True:
    time.sleep(3600)
