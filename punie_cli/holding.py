"""Who writes a session: one process holds it by a lock that ends with the process, also after kill -9."""

import contextlib
from pathlib import Path

import filelock

from punie_cli import paths

# Another process may be just letting go.
_WAIT_S = 0.2


class Hold:
    """The right to write one session; `folder` has the locks."""

    def __init__(self, session: str, folder: Path | None = None) -> None:
        self.session = session
        self._file = (folder or paths.data_dir() / "locks") / f"{session}.lock"
        self._lock = filelock.FileLock(self._file, timeout=_WAIT_S, poll_interval=0.01)

    def take(self) -> bool:
        """Whether it is ours from now on. Where locks cannot be kept nobody else has one either."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock.acquire()
        except filelock.Timeout:
            return False
        except OSError:
            return True
        return True

    def release(self) -> None:
        """Let others have it; a second call does nothing."""
        if self._lock.is_locked:
            # Before it is let go: who then waits for a file that is gone tries again.
            with contextlib.suppress(OSError):
                self._file.unlink()
            self._lock.release()
