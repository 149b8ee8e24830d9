"""How many files this process may have open."""

from __future__ import annotations

import resource


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one; returns what holds then, at most a million."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 1_000_000
    wanted = most if hard == resource.RLIM_INFINITY else min(hard, most)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return min(soft if soft != resource.RLIM_INFINITY else most, most)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):  # macOS refuses more than its kernel's own limit
        return soft
    return wanted
