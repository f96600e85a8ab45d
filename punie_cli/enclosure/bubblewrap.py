"""The command line of bubblewrap (`bwrap`) for a plan."""

import os

from punie_cli.enclosure.places import Plan

# Root keeps what it needs for files that belong to others; nothing that mounts, loads or traces.
_ROOT_KEEPS = ("CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_FOWNER", "CAP_FSETID", "CAP_SETUID", "CAP_SETGID")
# `--unshare-user` would hide from root whom the files belong to.
_UNSHARED = ("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try")


def bwrap_argv(bwrap: str, plan: Plan, argv: list[str]) -> list[str]:
    """Mounts in the order of the rules, so that the innermost counts."""
    words = [bwrap, "--die-with-parent", *_UNSHARED]
    if os.geteuid() == 0:
        words += ["--cap-drop", "ALL"]
        for capability in _ROOT_KEEPS:
            words += ["--cap-add", capability]
    else:
        words += ["--unshare-user"]
    if not plan.network:
        words += ["--unshare-net"]
    words += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    emptied = []
    for place, kind in plan.rules:
        if kind == "write":
            words += ["--bind", place, place]
        elif kind == "read":
            words += ["--ro-bind", place, place]
        elif os.path.isdir(place):  # noqa: PTH112
            words += ["--tmpfs", place]
            emptied.append(place)
        else:
            words += ["--ro-bind", "/dev/null", place]
    # At the end: places inside them need a folder to be mounted on. Programs that name /tmp get an empty one.
    for place in emptied:
        if place != "/tmp":
            words += ["--remount-ro", place]
    return [*words, "--chdir", plan.root, "--", *argv]
