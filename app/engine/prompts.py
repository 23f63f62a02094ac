"""From messages to a prompt: the model's own chat template, rendered by a child that may be killed."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.core.errors import EngineFailed, UnsupportedModel
from app.engine.host import Host
from app.jobs.commands import module_command
from app.jobs.helper import Helper

RENDER_TIMEOUT_S = 2.0
START_TIMEOUT_S = 20.0

CHATML = """{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
"""For a model without a template of its own: the form that most chat models were trained on at some time."""


class Prompts:
    """Renders conversations with the template of the model that a host has loaded."""

    def __init__(self, host: Host, log: Path) -> None:
        self._host = host
        self._helper = Helper(module_command("app.engine.templates"), log)

    async def warm(self) -> None:
        """Start the child."""
        await asyncio.to_thread(self._helper.ask, "hello", START_TIMEOUT_S)

    async def render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Return the prompt for a conversation; raises UnsupportedModel when the template fails or takes over 2 s."""
        return await asyncio.to_thread(self._render, messages)

    def close(self) -> None:
        """End the child."""
        self._helper.close()

    def _render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        # A child that was killed is started again here, so that its start is not counted against the template.
        self._helper.ask("hello", START_TIMEOUT_S)
        model = self._host.model
        name = self._host.served.model_id
        try:
            answer = self._helper.ask(
                "render",
                RENDER_TIMEOUT_S,
                name=name,
                template=model.get("chat_template") or CHATML,
                messages=list(messages),
                bos=model.get("bos", ""),
                eos=model.get("eos", ""),
            )
        except EngineFailed as error:
            raise UnsupportedModel(
                f"The chat template of {name} was stopped: it took over {RENDER_TIMEOUT_S:g} s or too much memory.",
                hint="The template in this file is faulty or hostile. Choose another file of this model.",
                detail=error.detail,
            ) from error
        text: str = answer["text"]
        return text
