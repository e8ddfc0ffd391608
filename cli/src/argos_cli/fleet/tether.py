"""`python -m argos_cli.fleet.tether STATE MODULE ARGS…`: run a module that dies with its parent.

On Linux the kernel is asked to kill this process when the one that started it is gone, whatever it
died of. Elsewhere the services themselves look after `ARGOS_PARENT_PID`. The module is then run in
this very process, as `python -m MODULE ARGS…` would. STATE only marks whose process this is.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> int:
    """Tie, then run. 1 if the parent was gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = int(os.environ.get("ARGOS_PARENT_PID", "0"))
    if parent and os.getppid() != parent:
        return 1
    module = sys.argv[2]
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
