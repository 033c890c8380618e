"""The console script `ivcap-mcp`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line; the exit code says how it went."""
    # Importing the protocol's models allocates a great deal that lives for ever: collecting it again and again costs
    # a sixth of the start-up time, walking it at exit a tenth of a second.
    gc.disable()
    from ivcap_mcp.neighbours import refuse_shared_environment

    refuse_shared_environment()
    from ivcap_mcp.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
