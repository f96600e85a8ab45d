"""How long a key takes from the terminal to its echo in `punie chat`, idle and while the model writes.

    python benchmarks/keystrokes.py [KEYS]

A pseudo-terminal is typed at, at the pace of a quick typist; each key is a character of its own, so that its echo is
told from text that is drawn anew. So many keys go to an idle prompt; then questions are queued, and as many are typed
while they are answered.
"""

import fcntl
import os
import pty
import random
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time

GOAL_MS = 50
QUESTION = "Tell a long story about a river, with many sentences.\r"
# For one line of letters: more than are answered meanwhile.
QUESTIONS = 15
# Letters that no answer has.
FIRST, LETTERS = 0x0531, 38
COMMAND = [sys.executable, "-m", "punie_cli", "chat"]


class Terminal:
    """The command behind a pseudo-terminal."""

    def __init__(self, command: list[str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm-256color", "PUNIE_MAX_TOKENS": "400"}
            os.execvp(command[0], command)
        self.seen = ""
        self.resize(100)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

    def write(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def wait(self, text: str, seconds: float) -> float | None:
        """Seconds until `text` has come; None where it has not within `seconds`."""
        began = time.perf_counter()
        self.seen = ""
        while text not in self.seen:
            left = began + seconds - time.perf_counter()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                return None
            self.seen += os.read(self.fd, 65536).decode("utf-8", "replace")
        return time.perf_counter() - began

    def drain(self, seconds: float) -> None:
        """Read what comes, for a while."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                self.seen = os.read(self.fd, 65536).decode("utf-8", "replace")

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def typed(terminal: Terminal, count: int, questions: int = 0) -> list[float]:
    """Milliseconds of so many keys; before each new line so many questions are sent."""
    found = []
    for number in range(count):
        if number % LETTERS == 0:
            # An empty line again.
            terminal.write("\x15")
            for _ in range(questions):
                terminal.write(QUESTION)
                terminal.drain(0.1)
            terminal.drain(1)
        terminal.drain(random.uniform(0.06, 0.2))
        letter = chr(FIRST + number % LETTERS)
        terminal.write(letter)
        seconds = terminal.wait(letter, 20)
        if seconds is None:
            sys.exit(f"no echo within 20 s; the last that came: {terminal.seen[-500:]!r}")
        found.append(seconds * 1000)
    terminal.write("\x15")
    terminal.drain(0.5)
    return found


def told(name: str, times: list[float]) -> None:
    """One line of figures."""
    parts = statistics.quantiles(times, n=100, method="inclusive")
    print(f"{name:18} {len(times):4} keys  p50 {parts[49]:6.1f} ms  p95 {parts[94]:6.1f} ms  max {max(times):6.1f} ms")


def main(keys: int) -> None:
    """Print p50, p95 and the slowest, idle and while the model writes."""
    os.chdir(tempfile.mkdtemp(prefix="punie-keys-"))
    terminal = Terminal(COMMAND)
    try:
        if terminal.wait("ask", 300) is None:
            sys.exit(f"no prompt: {terminal.seen[-500:]!r}")
        terminal.drain(2)
        idle = typed(terminal, keys)
        busy = typed(terminal, keys, questions=QUESTIONS)
        # Another width draws all anew: are there still questions that wait?
        terminal.resize(99)
        if terminal.wait("queued", 20) is None:
            sys.exit("the answers came to their end before the keys did; type fewer keys")
    finally:
        terminal.close()
    told("idle", idle)
    told("while it writes", busy)
    print(f"goal: p95 at most {GOAL_MS} ms while it writes")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 150)
