"""Runs a command on a terminal of its own, types a line at each prompt (argument 1, separated by commas), and ends with
its exit code."""

import os
import pty
import sys
import termios
import time

lines = sys.argv[1].split(",")
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b""
while True:
    try:
        block = os.read(terminal, 4096)
    except OSError:  # Its other end is closed.
        break
    if not block:
        break
    seen += block
    if lines and seen.endswith(b": "):
        # What is typed before the terminal hides it would be seen, or lost.
        while termios.tcgetattr(terminal)[3] & termios.ECHO:
            time.sleep(0.01)
        os.write(terminal, lines.pop(0).encode() + b"\n")
status = os.waitpid(child, 0)[1]
sys.stdout.write(seen.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(status))
