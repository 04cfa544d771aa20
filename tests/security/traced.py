"""Opens files in children that strace follows: ``python -m tests.security.traced``, paths on stdin, one a line.

The first thing that a child asks the system is whether ``/opens/NUMBER`` is there, so that its calls can be told apart.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.security.opener import command, warm

MARK = "/opens/"


def main() -> None:
    """Open each file in a child of its own."""
    sys.dont_write_bytecode = True
    assert warm() == []
    for number, path in enumerate(sys.stdin.read().split("\n")):
        child = os.fork()
        if child == 0:
            try:
                Path(f"{MARK}{number}").exists()
                command([path])
            finally:
                os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
