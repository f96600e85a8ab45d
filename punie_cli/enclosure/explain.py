"""One line for a command that failed because of the enclosure, as far as its output shows."""

import re

_NETWORK = re.compile(
    r"network is unreachable|name resolution|name or service not known|could not resolve|nodename nor servname"
    r"|connection refused|new connection|newconnectionerror|connecterror|enetunreach|eai_again|dns error|getaddrinfo"
    r"|socket.*operation not permitted|operation not permitted.*socket|failed to connect|no address associated",
    re.IGNORECASE,
)
_SOCKET = re.compile(r"socket|connect|bind|urlopen|https?://", re.IGNORECASE)
_READ_ONLY = re.compile(r"read-only file system|erofs|\[errno 30\]", re.IGNORECASE)
_REFUSED = re.compile(r"permission denied|operation not permitted|eacces|eperm|\[errno 13\]|\[errno 1\]", re.IGNORECASE)
_GIT = re.compile(r"\.git\b")

NO_NETWORK = "it ran enclosed, without network"
PLACES = "it ran enclosed: only the project, without .git, and $TMPDIR can be written, and keys in the home not read"
GIT = "it ran enclosed: .git, git's configuration and hooks above all, cannot be written"


def explanation(output: str, *, network: bool) -> str | None:
    """Why a command failed, where its output looks like a refusal of the enclosure; `network`: it had one."""
    if not network and _NETWORK.search(output):
        return NO_NETWORK
    refused = next((line for line in output.splitlines() if _READ_ONLY.search(line) or _REFUSED.search(line)), None)
    if refused is None:
        return None
    if not network and _SOCKET.search(output) and not _READ_ONLY.search(output) and "denied" not in refused.lower():
        return NO_NETWORK
    return GIT if _GIT.search(refused) else PLACES
