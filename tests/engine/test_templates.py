"""Chat templates are code from a file: rendered in a sandbox, killed when they dawdle."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.core.errors import AppError, EngineFailed, UnsupportedModel
from app.core.paths import Home
from app.engine.prompts import CHATML, RENDER_TIMEOUT_S
from app.jobs.commands import module_command
from app.jobs.helper import Helper

MESSAGES = [{"role": "user", "content": "hi <&> 数据"}]

INJECTIONS = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.system('touch CANARY') }}",
    "{{ self.__init__.__globals__.__builtins__.open('CANARY', 'w') }}",
    "{{ lipsum.__globals__['os'].popen('touch CANARY').read() }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x.__init__.__globals__ }}{% endfor %}",
    "{{ messages.append(1) }}",
    "{{ raise_exception.__globals__['sys'].modules }}",
]

BOMBS = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{{ a * b }}{% endfor %}{% endfor %}",
    "{{ 'a' * 4000000000 }}",
    "{% set ns = namespace(x='ab') %}{% for i in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
]


@pytest.fixture(scope="module")
def helper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helper]:
    home = Home(tmp_path_factory.mktemp("templates")).prepare()
    helper = Helper(module_command("app.engine.templates"), home.logs / "templates.log")
    helper.ask("hello", 30)
    yield helper
    helper.close()


def render(helper: Helper, template: str, messages: Any = MESSAGES, **more: Any) -> str:
    text: str = helper.ask("render", RENDER_TIMEOUT_S, name="evil.gguf", template=template, messages=messages, **more)[
        "text"
    ]
    return text


def test_chatml(helper: Helper) -> None:
    assert render(helper, CHATML) == "<|im_start|>user\nhi <&> 数据<|im_end|>\n<|im_start|>assistant\n"


def test_what_templates_of_real_models_use(helper: Helper) -> None:
    template = """{%- for m in messages %}
    {%- if loop.index0 == 1 %}{% break %}{% endif %}
    {%- set content = m['content'] | trim %}
{{ bos_token + m.role.upper() + ': ' + content }}
{%- endfor %}
 {{ strftime_now('%Y')|length }} {{ {'a': 'é<'} | tojson }}{{ eos_token }}"""
    text = render(helper, template, [*MESSAGES, *MESSAGES], bos="<s>", eos="</s>")
    assert text == '<s>USER: hi <&> 数据 4 {"a": "é<"}</s>'


def test_a_templates_own_refusal_is_told(helper: Helper) -> None:
    with pytest.raises(UnsupportedModel, match=r"evil\.gguf says: roles must alternate"):
        render(helper, "{{ raise_exception('roles must alternate') }}")


@pytest.mark.parametrize("template", ["{% if %}", "{{ 1 / 0 }}", "{{ messages[9].content.x }}", "{{ missing.x }}"])
def test_faulty_template_is_named(helper: Helper, template: str) -> None:
    with pytest.raises(UnsupportedModel, match=r"evil\.gguf"):
        render(helper, template)


@pytest.mark.parametrize("template", INJECTIONS)
def test_injections_do_nothing(helper: Helper, template: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        text = render(helper, template.replace("CANARY", str(tmp_path / "canary")))
    except UnsupportedModel:
        text = ""
    assert not (tmp_path / "canary").exists()
    assert "class" not in text
    assert "module" not in text


@pytest.mark.parametrize("template", BOMBS)
def test_bombs_end_within_the_limit(home: Home, template: str) -> None:
    helper = Helper(module_command("app.engine.templates"), home.logs / "templates.log")
    helper.ask("hello", 30)
    started = time.monotonic()
    with pytest.raises((UnsupportedModel, EngineFailed)):
        render(helper, template)
    assert time.monotonic() - started < RENDER_TIMEOUT_S + 2
    helper.ask("hello", 30)
    assert render(helper, CHATML)
    helper.close()


def test_sandbox_error_is_an_app_error(helper: Helper) -> None:
    with pytest.raises(AppError, match="may not"):
        render(helper, "{{ ''.__class__.__mro__ }}")
