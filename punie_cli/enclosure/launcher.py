"""Starts one command enclosed: python -I -S launcher.py MODE RULE… -- ARGV, without anything that is installed.

MODE is `namespaces` or `landlock`, with `+network` behind it where the command may use the network. A rule is `w`, `r`
or `h` (write, read, hide) and a real path, from the outside in. Three processes: this one ends as the command does and
stands in its group for it; the keeper, in a session of its own, outlives the group and kills all that is left; the
command. What is imported here is paid for at each start: no json, no pathlib, no subprocess.
"""

import ctypes
import os
import select
import signal
import sys

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_DUMPABLE = 1, 36, 4
FAILED = 125  # the enclosure could not be made: the command was not started


def main(words: list[str]) -> None:
    """Never returns."""
    split = words.index("--")
    mode, *given = words[:split]
    argv, rules = words[split + 1 :], [(word[0], word[1:]) for word in given]
    mechanism, _, network = mode.partition("+")
    _die_with_parent()
    try:
        if mechanism == "namespaces":
            from punie_cli.enclosure import namespaces

            namespaces.enter(rules, network=bool(network))
        status = _keep(mechanism, rules, bool(network), argv)
    except OSError as problem:
        _fail(problem)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1)


def _keep(mechanism: str, rules: list[tuple[str, str]], network: bool, argv: list[str]) -> int:
    """Start the keeper and wait for what became of the command."""
    alive, told = os.pipe(), os.pipe()
    keeper = os.fork()
    if keeper == 0:
        try:
            os.close(alive[1])
            os.close(told[0])
            if mechanism == "namespaces":
                _keep_namespace(argv, told[1])
            else:
                _keep_tree(rules, network, argv, alive[0], told[1])
        except OSError as problem:
            _fail(problem)
        finally:
            os._exit(FAILED)
    os.close(alive[0])
    os.close(told[1])
    data = os.read(told[0], 4)
    _, ended = os.waitpid(keeper, 0)
    return int.from_bytes(data, sys.byteorder) if len(data) == 4 else ended


def _keep_namespace(argv: list[str], told: int) -> None:
    """As process 1 of its namespace: when it ends, the kernel kills all that is in there."""
    from punie_cli.enclosure import namespaces

    _die_with_parent()
    namespaces.settle()
    command = os.fork()
    if command == 0:
        _run(argv)
    while True:
        child, status = os.wait()
        if child == command:
            os.write(told, status.to_bytes(4, sys.byteorder))
            os._exit(0)


def _keep_tree(rules: list[tuple[str, str]], network: bool, argv: list[str], alive: int, told: int) -> None:
    """As the one whom orphans are given to: waits for the command or for the end of its group, then kills them all."""
    from punie_cli.enclosure import landlock

    os.setsid()
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    command = os.fork()
    if command == 0:
        os.close(alive)
        os.close(told)
        os.setsid()
        landlock.enclose(rules, network=network)
        _run(argv)
    # The command has its streams: these would keep them open.
    null = os.open("/dev/null", os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    handle = os.pidfd_open(command)
    poll = select.poll()
    poll.register(alive, select.POLLIN)
    poll.register(handle, select.POLLIN)
    poll.poll()
    ended = _end_all(command)
    os.write(told, ended.to_bytes(4, sys.byteorder))
    os._exit(0)


def _end_all(command: int) -> int:
    """Kill all descendants until there is none; the status of the command."""
    ended = signal.SIGKILL
    me = os.getpid()
    while True:
        # What has ended already keeps its own status.
        try:
            while True:
                child, status = os.waitpid(-1, os.WNOHANG)
                if child == 0:
                    break
                if child == command:
                    ended = status
        except ChildProcessError:
            return int(ended)
        # Those that are killed hand their children to this process: nobody gets away between two looks.
        for child in _children(me):
            try:  # noqa: SIM105  (contextlib is slow to import)
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        child, status = os.waitpid(-1, 0)
        if child == command:
            ended = status


def _children(parent: int) -> list[int]:
    try:
        with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as file:  # noqa: PTH123
            return [int(word) for word in file.read().split()]
    except OSError:
        pass
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                    if int(file.read().rpartition(")")[2].split()[1]) == parent:
                        found.append(int(name))
            except OSError:
                continue
    return found


def _run(argv: list[str]) -> None:
    try:
        # As subprocess does for what it starts: Python ignores these two.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.execv(argv[0], argv)
    except OSError as problem:
        os.write(2, f"{argv[0]}: {problem.strerror}\n".encode(errors="surrogateescape"))
        os._exit(126)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _fail(problem: OSError) -> None:
    os.write(2, f"punie: the command was not started: {problem}\n".encode(errors="surrogateescape"))
    os._exit(FAILED)


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    sys.path.insert(0, os.path.dirname(os.path.dirname(here)))  # noqa: PTH120
    main(sys.argv[1:])
