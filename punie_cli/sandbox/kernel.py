"""What the kernel takes away from a worker: files, processes, network, memory, CPU time.

Linux: resource limits, no new privileges, and a seccomp filter that leaves memory, time and the worker's open socket
(x86-64 and aarch64). macOS: resource limits on CPU, files and processes; memory is watched by the parent.
"""

import ctypes
import math
import os
import platform
import resource
import signal
import socket
import sys
from typing import Any

from punie_cli.sandbox import bpf

# Left over for reporting that the memory is used up.
RESERVE = 64 * 2**20
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _FILTER = 1, 22, 2

# Architecture, number of prlimit64, and the calls that are allowed, in this order:
# read write close mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn madvise mremap sendto recvfrom
# sendmsg recvmsg exit exit_group futex clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday getrusage
# setitimer getrandom getpid gettid sched_yield sigaltstack rseq set_robust_list
_CALLS = {
    "x86_64": (0xC000003E, 302, [
        0, 1, 3, 9, 10, 11, 12, 13, 14, 15, 28, 25, 44, 45, 46, 47, 60, 231, 202, 228, 229, 230, 35, 96, 98, 38, 318,
        39, 186, 24, 131, 334, 273,
    ]),
    "aarch64": (0xC00000B7, 261, [
        63, 64, 57, 222, 226, 215, 214, 134, 135, 139, 233, 216, 206, 207, 211, 212, 93, 94, 98, 113, 114, 115, 101,
        169, 165, 103, 278, 172, 178, 124, 132, 293, 99,
    ]),
}  # fmt: skip


def no_new_privileges() -> None:
    """Linux: nothing that this process or its children start can gain rights."""
    if sys.platform == "linux":
        bpf.no_new_privileges()


def die_with_parent() -> None:
    """Linux: SIGKILL when the process that forked this one ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def lock_down(sock: socket.socket, limits: dict[str, Any]) -> None:
    """Close all but the socket, then take away the means to open anything, write, dump, grow or signal."""
    address_space = _address_space()
    for standard in range(3):
        if standard != sock.fileno():
            os.dup2(os.open(os.devnull, os.O_RDWR), standard)
    os.closerange(3, sock.fileno())
    os.closerange(sock.fileno() + 1, 65536)
    # NOFILE 0: no descriptor can be had, whatever is closed. NPROC has no effect for root.
    for name in ("RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_CORE", "RLIMIT_NPROC"):
        if hasattr(resource, name):
            resource.setrlimit(getattr(resource, name), (0, 0))
    if sys.platform == "linux":
        # macOS ignores or refuses this limit: the parent watches the memory there.
        allowed = address_space + limits["memory_mb"] * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (allowed + RESERVE, allowed + RESERVE))
        bpf.no_new_privileges()  # who is not root may set a filter only with it
        _filter_calls()


def _address_space() -> int:
    """Bytes of address space in use; 0 where /proc does not tell."""
    try:
        with open("/proc/self/statm", encoding="utf-8") as file:  # noqa: PTH123  (pathlib would be one import more)
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def can_filter_calls() -> bool:
    """Whether this kernel takes a seccomp filter and this processor's numbers are known."""
    if sys.platform != "linux" or platform.machine() not in _CALLS:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_SECCOMP, _FILTER, None, 0, 0)  # EFAULT (14): it would have read the filter
    return ctypes.get_errno() == 14


def _filter_calls() -> None:
    """All system calls but the listed ones fail with EPERM. Kernels that cannot are left as they are."""
    if platform.machine() not in _CALLS:
        return
    architecture, prlimit, allowed = _CALLS[platform.machine()]
    refuse: bpf.Step = (bpf.ANSWER, 0, 0, bpf.REFUSE)
    allow: bpf.Step = (bpf.ANSWER, 0, 0, bpf.ALLOW)
    program: list[bpf.Step] = [
        (bpf.LOAD, 0, 0, bpf.ARCHITECTURE), (bpf.EQUAL, 1, 0, architecture), refuse, (bpf.LOAD, 0, 0, bpf.NUMBER),
        # Its own limits only (process id 0), to set the soft limit on memory anew for each program.
        (bpf.EQUAL, 0, 4, prlimit), (bpf.LOAD, 0, 0, bpf.FIRST_ARGUMENT), (bpf.EQUAL, 0, 1, 0), allow, refuse,
    ]  # fmt: skip
    for number in allowed:
        program += [(bpf.EQUAL, 0, 1, number), allow]
    bpf.install([*program, refuse])


def arm(limits: dict[str, Any]) -> None:
    """Count CPU and memory for one program: SIGPROF ends the process, whatever it is doing, also in C code."""
    signal.setitimer(signal.ITIMER_PROF, limits["cpu_s"])
    # Behind the timer: whole seconds over the life of the process.
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime + limits["cpu_s"]) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
    _keep_memory(RESERVE)


def disarm() -> None:
    """The time between programs is not limited, and the memory reserve is there for reporting."""
    signal.setitimer(signal.ITIMER_PROF, 0)
    _keep_memory(0)


def _keep_memory(reserve: int) -> None:
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (hard - reserve, hard))
