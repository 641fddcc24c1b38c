"""Runs a shell script on a terminal of its own, and answers what it asks there, as a person would.

    typist.py PASSPHRASE SECONDS SCRIPT

What was seen on the terminal is printed; the exit code is the script's.
"""

import os
import pty
import re
import select
import signal
import sys
import termios
import time

passphrase, seconds, script = sys.argv[1:]
ANSWERS = [
    (re.compile(rb"(passphrase|again)[^\n]*: ?$", re.IGNORECASE), passphrase),
    (re.compile(rb"type yes: ?$", re.IGNORECASE), "yes"),
    (re.compile(rb"\(restore, keep; [^\n]*\) ?$"), "restore"),
]

child, terminal = pty.fork()
if child == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv("/bin/sh", ["sh", "-e", script])
end = time.monotonic() + float(seconds)


def echoes():
    return termios.tcgetattr(terminal)[3] & termios.ECHO


seen, answered, late = b"", 0, False
while True:
    if time.monotonic() > end and not late:
        late = True
        os.killpg(child, signal.SIGKILL)
    if not select.select([terminal], [], [], 0.2)[0]:
        continue
    try:
        block = os.read(terminal, 4096)
    except OSError:  # Its other end is closed.
        break
    if not block:
        break
    seen += block
    for question, answer in ANSWERS:
        if question.search(seen[answered:]):
            answered = len(seen)
            # A passphrase is not shown: what is typed before the terminal knows that is lost, or seen.
            while answer == passphrase and time.monotonic() < end and echoes():
                time.sleep(0.01)
            os.write(terminal, answer.encode() + b"\n")
            break
status = os.waitpid(child, 0)[1]
sys.stdout.write(seen.decode(errors="replace").replace("\r\n", "\n"))
if late:
    sys.stdout.write(f"\nnot done after {seconds} s\n")
sys.exit(124 if late else os.waitstatus_to_exitcode(status) & 255)
