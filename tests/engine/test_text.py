"""Bytes to text: whole characters, stop strings."""

import pytest

from app.engine.text import TextStream


def run(pieces: list[bytes], stops: tuple[str, ...] = ()) -> tuple[list[str], bool]:
    stream = TextStream(stops)
    shown = []
    for piece in pieces:
        shown.append(stream.feed(piece))
        if stream.stopped:
            break
    return [*shown, stream.finish()], stream.stopped


def test_characters_are_never_split() -> None:
    text = "数据 🦊 e\u0301 👩‍👩‍👧"
    shown, _ = run([bytes([byte]) for byte in text.encode()])
    assert "".join(shown) == text
    assert all("\ufffd" not in part for part in shown)


def test_half_a_character_at_the_end_is_marked() -> None:
    assert run([b"a", "数".encode()[:2]])[0] == ["a", "", "\ufffd"]


@pytest.mark.parametrize(
    ("pieces", "stops", "expected"),
    [
        (["Hello wor", "ld"], ("world",), "Hello "),
        (["Hello wor", "se"], ("world",), "Hello worse"),
        (["a", "b", "c"], ("abc",), ""),
        (["aa", "ab"], ("aab",), "a"),
        (["one STOP two"], ("STOP", "one"), ""),
        (["x\n", "\nUser:"], ("\n\nUser:",), "x"),
        (["end en"], ("end!",), "end en"),
        (["数", "据库"], ("据",), "数"),
    ],
)
def test_stop_strings(pieces: list[str], stops: tuple[str, ...], expected: str) -> None:
    shown, _ = run([piece.encode() for piece in pieces], stops)
    assert "".join(shown) == expected


def test_text_without_a_chance_to_stop_is_not_held_back() -> None:
    assert TextStream(("zzz",)).feed(b"hello") == "hello"
