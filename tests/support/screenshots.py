"""Makes docs/screenshots: pictures of the real window, both themes, 1x and 2x.

Run it as `python -m tests.support.screenshots [FOLDER]`. Each scale is a process of its own, offscreen unless
QT_QPA_PLATFORM says otherwise. Store, library, converter's dry run and every widget are real; the engine is the fake
one, so that the words on the pictures are always the same.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtWidgets import QApplication, QWidget  # noqa: TID251 - it takes pictures of the window

from app.actions.context import Pronk
from app.actions.models import add_model
from app.actions.plan import quick_plan
from app.core.paths import Home
from app.core.settings import save_settings
from app.devices.values import Cpu, Devices, Gpu, Memory
from app.gui.main import make_application
from app.gui.models.row import ModelRow
from app.gui.ports import Ports
from app.gui.tasks import Tasks
from app.gui.window import SIZE_PX, Window
from app.library.facts import ModelFacts
from app.library.facts_reader import read_facts
from app.plan.json import plan_document
from app.plan.values import LoadPlan, PlanRequest
from tests.support.checkpoints import make_checkpoint
from tests.support.facts import experts
from tests.support.fake_engine import fake_starter
from tests.support.fake_measuring import fake_measuring
from tests.support.hollow import write_hollow
from tests.support.models import smollm2_gguf

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
SCALES = ("1", "2")
THEMES = ("light", "dark")
SHARP = ("chat", "empty", "convert", "plan", "details")
"""Taken at 2x too; the others only at 1x."""

DEVICES = Devices(
    Cpu("AMD Ryzen 5 5600", 6, 12),
    Memory(33_400_000_000, 26_100_000_000, 38_000_000_000),
    (Gpu("CUDA0", "NVIDIA GeForce RTX 3060", "cuda", 12_600_000_000, 11_700_000_000),),
)
MODELS = {
    "Qwen3-30B-A3B": experts(),
    "Qwen3-235B-A22B": experts(94, 4096, 128, 8, 1536),
}
QUESTION = "How do I reverse the words of a sentence in Python?"
ANSWER = """Split the sentence into words, turn their order round, and join them again:

```python
def reverse_words(sentence: str) -> str:
    \"\"\"Return the words of a sentence in reverse order.\"\"\"
    words = sentence.split()
    return " ".join(reversed(words))


print(reverse_words("llamas hum when they are content"))
```

It prints `content are they when hum llamas`. A few things to know:

1. `split()` without an argument treats **any run of spaces** as one.
2. `reversed()` gives an iterator, so no second list is made.
3. For Chinese, such as 羊驼会哼歌, there are no spaces to split at.

| sentence | result |
|---|---|
| a b c | c b a |
| one | one |
"""
OTHER_CHATS = ("Names for a llama", "给羊驼写一首诗", "Rewrite my mail to the landlord", "What is a KV cache?")


def main(arguments: list[str]) -> None:
    """Take all pictures, each scale in its own process."""
    if arguments[:1] == ["--scale"]:
        take_pictures(Path(arguments[2]), arguments[1])
        return
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for scale in SCALES:
        environment = {"QT_QPA_PLATFORM": "offscreen", **os.environ, "QT_SCALE_FACTOR": scale}
        command = [sys.executable, "-m", "tests.support.screenshots", "--scale", scale, str(folder)]
        subprocess.run(command, env=environment, check=True)


def take_pictures(folder: Path, scale: str) -> None:
    """Take every picture of one scale in both themes."""
    application: QApplication | None = None
    for theme in THEMES:
        with tempfile.TemporaryDirectory() as temporary:
            pronk = Pronk(Home(Path(temporary) / "home").prepare())
            save_settings(pronk.home.settings, replace(pronk.settings(), theme=theme))
            if application is None:
                application = make_application(pronk, [])
            else:
                from app.gui.theme import apply_theme

                apply_theme(application, theme)
            Photographer(
                application, pronk, folder, theme if scale == "1" else f"{theme}@{scale}x", Path(temporary)
            ).work()


def _plan_exactly(pronk: Pronk, facts: ModelFacts, devices: Devices, request: PlanRequest) -> LoadPlan:
    """Plan by formulas and call it a dry run: there is no such card here that llama.cpp could be asked about."""
    return replace(quick_plan(facts, devices, request), method="dry_run")


class Photographer:
    """Opens one window, brings it into each state, and saves what it looks like."""

    def __init__(self, application: QApplication, pronk: Pronk, folder: Path, suffix: str, temporary: Path) -> None:
        self._application = application
        self._pronk = pronk
        self._folder = folder
        self._suffix = suffix
        self._temporary = temporary
        answer = temporary / "answer.md"
        answer.write_text(ANSWER, encoding="utf-8")
        plan = temporary / "plan.json"
        plan.write_text(json.dumps(plan_document(quick_plan(read_facts(smollm2_gguf()), DEVICES))), encoding="utf-8")
        ports = Ports(
            fake_starter("normal", answer, 31, plan),
            lambda _: DEVICES,
            _plan_exactly,
            lambda: DEVICES.memory,
            fake_measuring(),
        )
        self._window = Window(pronk, Tasks(), "", ports)

    def work(self) -> None:
        """Take the pictures one after the other."""
        window = self._window
        window.resize(*SIZE_PX)  # however small the screen is
        window.show()
        self._start_without_model()
        self._start_with_model()
        self._chat()
        self._details()
        self._picker()
        self._models()
        self._convert()
        window.close()
        window.deleteLater()
        self._wait(lambda: True)

    def _start_without_model(self) -> None:
        self._window.start()
        self._wait(lambda: self._window.chat.empty.title == "No model yet")
        self._save("no-model")

    def _start_with_model(self) -> None:
        window = self._window
        add_model(self._pronk, smollm2_gguf())
        window.library.refresh()
        self._wait(lambda: window.engine.state.kind == "ready")
        self._wait(lambda: window.conversations.store is not None)
        store = window.conversations.store
        assert store is not None
        for title in OTHER_CHATS:
            store.create(title)
        window.conversations.refresh()
        self._wait(lambda: len(window.sidebar.conversations.titles) == len(OTHER_CHATS))
        self._save("empty")

    def _chat(self) -> None:
        window = self._window
        window.chat.composer.set_draft(QUESTION)
        window.chat.composer.submit()
        self._wait(lambda: window.controller.answering)
        self._wait(lambda: not window.controller.answering)
        self._wait(lambda: window.sidebar.conversations.titles[0].startswith("How do I"))
        self._save("chat")

    def _details(self) -> None:
        self._window.chat.header.toggle_details()
        self._save("details")
        self._window.chat.header.toggle_details()

    def _picker(self) -> None:
        picker = self._window.chat.header.picker
        picker.open_list()
        assert picker.popup is not None
        self._save("picker", picker.popup)
        picker.popup.close()

    def _models(self) -> None:
        """The list with two more models, then plans in their cards: one too big, one with a context of the user's."""
        window = self._window
        for name, facts in MODELS.items():
            folder = self._temporary / "models"
            folder.mkdir(exist_ok=True)
            add_model(self._pronk, write_hollow(facts, folder / f"{name}.gguf"))
        window.show_page("models")
        self._wait(lambda: len(window.models.rows) == 1 + len(MODELS))
        self._save("models")
        too_big, experts_row, _ = window.models.rows
        self._plan(too_big, "plan-too-big")
        self._plan(experts_row, "plan", context=16384)
        window.models.show_plan(None)
        window.models.measure.button.click()
        self._wait(lambda: not window.models.measuring.busy)
        self._save("measured")

    def _plan(self, row: ModelRow, name: str, context: int = 0) -> None:
        panel = self._window.models.panel
        self._window.models.show_plan(row)
        self._wait(lambda: panel.view.plan is not None and panel.view.source == "exact")
        if context:
            panel.context.field.setValue(context)
            self._wait(lambda: panel.view.source == "exact")
        self._save(name)

    def _convert(self) -> None:
        window = self._window
        window.show_page("convert")
        self._save("convert-start")
        window.convert.look_at(str(make_checkpoint(smollm2_gguf(), self._temporary / "SmolLM2-135M-Instruct")))
        self._wait(window.convert.types.isVisible)
        self._wait(lambda: "layers fit" in window.convert.types.about_text)
        self._save("convert")
        window.convert.start(("Q4_K_M",))
        self._wait(lambda: window.convert.progress.result_path != "")
        self._save("convert-done")

    def _save(self, name: str, widget: QWidget | None = None) -> None:
        end_s = time.monotonic() + 0.3
        self._wait(lambda: time.monotonic() > end_s)
        if "@" in self._suffix and name not in SHARP:
            return
        (widget or self._window).grab().save(str(self._folder / f"{name}-{self._suffix}.png"))

    def _wait(self, condition: Callable[[], bool]) -> None:
        end_s = time.monotonic() + 60
        while True:
            self._application.processEvents()
            if condition():
                return
            assert time.monotonic() < end_s, "the window did not get there"
            time.sleep(0.005)


if __name__ == "__main__":
    main(sys.argv[1:])
