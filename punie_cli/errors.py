"""Errors that a user may see, with the exit code and the command that mends them.

PunieError                1  failed
 ├─ UsageError            2  usage or configuration
 ├─ MissingError          3  a model, adapter or data set is missing or damaged
 ├─ GateError             4  below the gate
 ├─ RefusedError          5  refused by an approval or by the policy
 ├─ BusyError            75  locked or short of memory: try later
 └─ InterruptedByUser   130  Ctrl-C, SIGTERM or a closed terminal
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the `punie` command; stable, part of the machine interface."""

    OK = 0
    FAILED = 1
    USAGE = 2
    MISSING = 3
    BELOW_GATE = 4
    REFUSED = 5
    BUSY = 75
    INTERRUPTED = 130


class PunieError(Exception):
    """Something a user can act on: `message` says what happened, `hint` names the command that mends it."""

    exit_code = Exit.FAILED

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PunieError):
    """A value on the command line or in the configuration that cannot be used."""

    exit_code = Exit.USAGE


class MissingError(PunieError):
    """A model, adapter or data set that is absent, incomplete or does not fit."""

    exit_code = Exit.MISSING


class GateError(PunieError):
    """A score below the gate that was asked for."""

    exit_code = Exit.BELOW_GATE


class RefusedError(PunieError):
    """An action that an approval or the sandbox policy refused."""

    exit_code = Exit.REFUSED


class BusyError(PunieError):
    """A lock that another process holds, or too little memory right now."""

    exit_code = Exit.BUSY


class InterruptedByUser(PunieError):
    """Ctrl-C, SIGTERM or a closed terminal, after state was saved."""

    exit_code = Exit.INTERRUPTED
