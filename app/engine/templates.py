"""The child that renders chat templates: code from a model file runs here, sandboxed, and is killed when it dawdles.

Requests (jobs.child.serve_requests): {"op":"render","template","messages","bos","eos","variables"} -> {"text"};
{"op":"hello"} -> {} tells that the child is warm.
"""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.exceptions import SecurityError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.core.errors import UnsupportedModel
from app.jobs.child import claim_stdout, serve_requests

MEMORY_LIMIT_BYTES = 512 << 20
TEXT_LIMIT = 16 << 20


def main() -> None:
    """Serve until stdin ends."""
    emitter = claim_stdout()
    _limit_memory()
    serve_requests({"hello": lambda _: {}, "render": _answer}, emitter)


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"text": render(request)}


def render(request: Mapping[str, Any]) -> str:
    """Return the prompt that a template makes of messages; raises UnsupportedModel with the template's own words."""
    try:
        text: str = _compiled(request["template"]).render(
            messages=request["messages"],
            add_generation_prompt=request.get("add_generation_prompt", True),
            bos_token=request.get("bos", ""),
            eos_token=request.get("eos", ""),
            **request.get("variables", {}),
        )
    except SecurityError as error:
        raise _refused(request, f"does what a template may not ({error})") from error
    except MemoryError as error:
        raise _refused(request, f"needs more than {MEMORY_LIMIT_BYTES >> 20} MiB of memory") from error
    except TemplateError as error:
        raise _refused(request, f"says: {error}") from error
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise _refused(request, f"fails ({type(error).__name__}: {error})") from error
    if len(text) > TEXT_LIMIT:
        raise _refused(request, f"makes a prompt of {len(text):,} characters")
    return text


def _refused(request: Mapping[str, Any], why: str) -> UnsupportedModel:
    return UnsupportedModel(
        f"The chat template of {request.get('name', 'the model')} {why}.",
        hint="The conversation may not suit the model (some take no system message), or its template is faulty.",
    )


@lru_cache(maxsize=8)
def _compiled(template: str) -> Template:
    """Return a template as Hugging Face's apply_chat_template would compile it (same flags, filters and globals)."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _now
    return environment.from_string(template)


def _to_json(value: Any, indent: int | None = None, ensure_ascii: bool = False, **_: Any) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=ensure_ascii)


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


def _now(pattern: str) -> str:
    return datetime.now().strftime(pattern)


def _limit_memory() -> None:
    """Limit this process's address space where the system can; elsewhere the 2 s limit alone holds."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        limit = MEMORY_LIMIT_BYTES if most == resource.RLIM_INFINITY else min(most, MEMORY_LIMIT_BYTES)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
