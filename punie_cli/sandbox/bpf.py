"""Installs a filter of system calls (seccomp, Linux). Imports little: the launcher of commands must start at once."""

import ctypes
import struct

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _FILTER = 22, 38, 2
# A program of the kernel's packet filter: load a word of the call, jump if equal, jump if at least, answer.
LOAD, EQUAL, AT_LEAST, ANSWER = 0x20, 0x15, 0x35, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050001  # REFUSE is EPERM
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

Step = tuple[int, int, int, int]


def no_new_privileges() -> None:
    """Nothing that this process or its children start can gain rights; who is not root may set a filter only then."""
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def install(program: list[Step]) -> bool:
    """Filter all further calls of this process and its children; False where the kernel cannot."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    return ctypes.CDLL(None).prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(header), 0, 0) == 0
