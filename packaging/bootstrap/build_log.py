"""Find in hundreds of lines of build output the few that say why it failed."""

import re
from itertools import pairwise

MAX_LINES = 15
MAX_CHARACTERS = 300
RETRY = "WARNING: Retrying ("
# Tried in this order: the first kind that occurs is the cause, later kinds are its echo.
CAUSES = (
    r"No space left on device|Disk quota exceeded",
    r"Killed signal terminated program|ninja: fatal|Cannot allocate memory|out of memory",
    r"nvcc fatal|unsupported GNU version|fatal error:|\berror: |error C\d{4}:|undefined reference",
    r"^\s*CMake Error",
    r"Could not find a version|No matching distribution|Temporary failure in name resolution|"
    r"Failed to establish a new connection|SSLError|CERTIFICATE_VERIFY_FAILED|Read timed out|ProxyError|"
    r"Network is unreachable|Max retries exceeded",
    r"^E: |^FAILED: ",
    r"^\s*(?:[\w.]+)?(?:Error|Exception): ",
    r"^ERROR: ",
)
# What pip wraps around every failure, true or not.
CHATTER = re.compile(
    r"subprocess-exited-with-error|This error originates from|Failed building wheel|Failed to build|"
    r"Building wheel for|See above for output|not a problem with pip|exit code: |metadata-generation-failed|"
    r"pip subprocess to install|\[end of output\]|^\s*[×╰│─>]*\s*$"
)
REMEDIES = (
    (r"No space left|Disk quota", "Free some disk space (a build needs about 2 GB), then run it again."),
    (
        r"Killed signal|Cannot allocate memory|out of memory",
        "Memory ran out: try again with CMAKE_BUILD_PARALLEL_LEVEL=1.",
    ),
    (r"nvcc|unsupported GNU version|CUDA", "To go on without CUDA: PRONK_BACKEND=cpu make run"),
    (r"Vulkan|glslc", "Vulkan's build needs: sudo apt-get install libvulkan-dev glslc"),
    (
        r"No matching distribution|Could not find a version|name resolution|new connection|SSLError|CERTIFICATE|"
        r"timed out|ProxyError|unreachable|Max retries",
        "The package index did not answer as it should: look at the network, a proxy or PIP_INDEX_URL.",
    ),
)


def cause(log: str) -> list[str]:
    """Pick at most 15 lines that tell the cause: the first real error and what follows it.

    A log without any known sign of an error gives its last lines.
    """
    lines = [line.rstrip()[:MAX_CHARACTERS] for line in log.splitlines() if line.strip()]
    lines = _without_repeats([line for line in lines if not CHATTER.search(line)])
    for pattern in CAUSES:
        first = next((number for number, line in enumerate(lines) if re.search(pattern, line)), None)
        if first is not None:
            return lines[first : first + MAX_LINES]
    return lines[-MAX_LINES:]


def _without_repeats(lines: list[str]) -> list[str]:
    """Of pip's five equal tries at an index that does not answer, keep the first."""
    return [line for before, line in pairwise(["", *lines]) if not (RETRY in line and RETRY in before)]


def remedy(cause_lines: list[str]) -> str:
    """Say what to do about a cause; empty when nothing general can be said."""
    text = "\n".join(cause_lines)
    return next((advice for pattern, advice in REMEDIES if re.search(pattern, text)), "")


def failure(what: str, log: str, log_path: str) -> str:
    """Put the whole message together: what failed, why, what to do, where the full log lies."""
    lines = cause(log)
    advice = remedy(lines)
    return "\n".join(
        [f"{what} failed:", *("    " + line for line in lines), *([advice] if advice else []), f"Full log: {log_path}"]
    )
