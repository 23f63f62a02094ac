"""What NVIDIA's driver says of its cards, other programs' use included.

python -m app.devices.nvml: the child that is asked, as a driver may crash or hang; see NvidiaDriver.
"""

import faulthandler
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from app.core.errors import AppError
from app.devices.hardware import has_library
from app.devices.values import Card
from app.jobs.child import claim_stdout, serve_requests
from app.jobs.commands import module_command
from app.jobs.helper import Helper

LIBRARY = "libnvidia-ml.so.1"
# A driver that no screen keeps awake takes seconds to start, on computers with many cards the longest.
LIMIT_S = 8.0
MEMORY_V2 = 0x02000028  # nvml.h, nvmlMemory_v2


class NvidiaDriver:
    """Asks NVIDIA's library in a resident child; one that crashed or hung is not asked again."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._failure = ""
        # The child has no log of its own: what its driver prints helps nobody.
        self._helper = Helper(module_command("app.devices.nvml", str(limit_s)), Path(os.devnull))

    def cards(self) -> tuple[tuple[Card, ...], tuple[str, ...]]:
        """Return NVIDIA's cards, and sentences on what could not be asked; neither without its library."""
        if not has_nvml():
            return (), ()
        if self._failure:
            return (), (self._failure,)
        try:
            answer = self._helper.ask("NVML", self._limit_s)
        except AppError as error:
            self._failure = f"NVIDIA's driver could not be asked: {error.message} Restarting the computer often helps."
            return (), (self._failure,)
        return tuple(Card(**card) for card in answer["cards"]), tuple(answer["notes"])

    def close(self) -> None:
        """End the child."""
        self._helper.close()


def has_nvml() -> bool:
    """Tell whether NVIDIA's management library is on this computer, without loading it."""
    if sys.platform == "win32":
        folders = (
            Path(os.environ.get("WINDIR", "C:/Windows"), "System32"),
            Path(os.environ.get("PROGRAMFILES", "C:/Program Files"), "NVIDIA Corporation/NVSMI"),
        )
        return any((folder / "nvml.dll").exists() for folder in folders)
    if sys.platform == "darwin":
        return False
    searched = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    return any(folder and Path(folder, LIBRARY).exists() for folder in searched) or has_library(Path("/"), LIBRARY)


def nvidia_cards(own_pids: frozenset[int] = frozenset()) -> tuple[tuple[Card, ...], tuple[str, ...]]:
    """Return NVIDIA's cards, and a sentence for a driver or a card that answers with an error.

    own_pids: processes whose memory is not other programs'. Only for a child: the library may crash or hang.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
    except (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded):
        return (), ()
    except pynvml.NVMLError as error:
        return (), (f"NVIDIA's driver does not answer ({error}). Restarting the computer often helps.",)
    try:
        return _all_cards(pynvml, own_pids)
    finally:
        pynvml.nvmlShutdown()


def _all_cards(pynvml: Any, own_pids: frozenset[int]) -> tuple[tuple[Card, ...], tuple[str, ...]]:
    cards: list[Card] = []
    notes: list[str] = []
    driver = str(_asked(pynvml, pynvml.nvmlSystemGetDriverVersion) or "")
    for index in range(int(_asked(pynvml, pynvml.nvmlDeviceGetCount) or 0)):
        try:
            cards.append(_card(pynvml, pynvml.nvmlDeviceGetHandleByIndex(index), driver, own_pids))
        except (pynvml.NVMLError, UnicodeError) as error:  # UnicodeError: a name that is no text
            notes.append(f"NVIDIA card {index} does not answer ({error}).")
    return tuple(cards), tuple(notes)


def _card(pynvml: Any, handle: Any, driver: str, own_pids: frozenset[int]) -> Card:
    def ask(function: Callable[..., Any], *arguments: Any) -> Any:
        return _asked(pynvml, function, handle, *arguments)

    card = Card(
        vendor="nvidia",
        name=_text(pynvml.nvmlDeviceGetName(handle)),
        pci_id=_text(pynvml.nvmlDeviceGetPciInfo(handle).busId).lower(),
        driver=driver,
        has_display=bool(ask(pynvml.nvmlDeviceGetDisplayActive) or ask(pynvml.nvmlDeviceGetDisplayMode)),
        is_wddm=_is_wddm(pynvml, ask),
    )
    # The second version tells the driver's own reserve apart from what programs use; old drivers lack it.
    memory = ask(pynvml.nvmlDeviceGetMemoryInfo, MEMORY_V2) or ask(pynvml.nvmlDeviceGetMemoryInfo)
    if memory is None:  # a chip on main memory: it has none of its own
        return card
    again = ask(pynvml.nvmlDeviceGetMemoryInfo)
    free_bytes = min(int(memory.free), int(again.free) if again is not None else int(memory.free))
    others = max(0, int(memory.used) - _used_by(pynvml, ask, own_pids))
    return replace(card, total_bytes=int(memory.total), free_bytes=free_bytes, used_by_others_bytes=others)


def _used_by(pynvml: Any, ask: Callable[..., Any], pids: frozenset[int]) -> int:
    """Return the bytes of these processes; those whose use Windows hides count as 0."""
    lists = (
        ask(pynvml.nvmlDeviceGetComputeRunningProcesses_v3) or (),
        ask(pynvml.nvmlDeviceGetGraphicsRunningProcesses_v3) or (),
    )
    used = {process.pid: int(process.usedGpuMemory or 0) for processes in lists for process in processes}
    return sum(size for pid, size in used.items() if pid in pids)


def _is_wddm(pynvml: Any, ask: Callable[..., Any]) -> bool:
    """Tell whether Windows pages this card's memory; under WSL the card is the Windows host's."""
    models = ask(pynvml.nvmlDeviceGetDriverModel_v2) or ask(pynvml.nvmlDeviceGetDriverModel_v1)
    if models is None:
        return "microsoft" in platform.release().lower()
    return bool(models[0] == pynvml.NVML_DRIVER_WDDM)


def _asked(pynvml: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the library's answer, None where this driver or card has none."""
    try:
        return function(*arguments)
    except (pynvml.NVMLError, UnicodeError):
        return None


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def main(limit_s: float) -> None:
    """Serve requests until the parent is gone; a library that hangs longer than `limit_s` ends this process.

    The limit is kept by a thread of C: loading a library holds Python's lock, and the parent may be gone by then.
    """
    own_pids = frozenset({os.getpid(), os.getppid()})

    def cards(_: dict[str, Any]) -> dict[str, Any]:
        faulthandler.dump_traceback_later(limit_s + 1, exit=True)
        try:
            found, notes = nvidia_cards(own_pids)
        finally:
            faulthandler.cancel_dump_traceback_later()
        return {"cards": [asdict(card) for card in found], "notes": list(notes)}

    serve_requests({"NVML": cards}, claim_stdout())


if __name__ == "__main__":
    main(float(sys.argv[1]))
