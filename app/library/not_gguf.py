"""Says what a file is when it is no GGUF file, and how to get the real one."""

from app.core.errors import BadFile

_AGAIN = "Download the model again, or choose another file."


def refuse_stranger(name: str, first: bytes, size_bytes: int) -> None:
    """Raise BadFile, naming what the file looks like, unless its first bytes are GGUF's magic."""
    if size_bytes == 0:
        raise BadFile(f"{name} is empty (0 bytes).", hint=_AGAIN)
    if first[:4] == b"GGUF":
        return
    what, hint = _describe(first)
    raise BadFile(f"{name} is no GGUF model: {what}.", hint=hint)


def _describe(first: bytes) -> tuple[str, str]:
    text = first.lstrip().lower()
    if text.startswith(b"version https://git-lfs"):
        return (
            "it is a git-LFS pointer, a note of three lines that stands for the model",
            "Fetch the real file: run `git lfs pull` in that folder, or download it from the model's page.",
        )
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        return (
            "it is a web page, so the download brought an error or a log-in page",
            "Open the model's page in a browser, accept its terms if it asks, and download the .gguf file itself.",
        )
    if first[:4] in (b"lmgg", b"fmgg", b"tjgg", b"algg"):
        return "it is a GGML file from before August 2023", "Look for a GGUF file of the same model."
    if first[:2] == b"PK":
        return "it is a zip archive or a PyTorch checkpoint", "A checkpoint of safetensors files can be converted."
    if len(first) > 9 and first[8:9] == b"{":
        return "it is a safetensors file", "Convert the folder it is in: pronk convert FOLDER --type Q4_K_M."
    if not first.strip(b"\0"):
        return "it begins with zeros, as an unfinished download does", _AGAIN
    return f"it begins with {_shown(first[:4])} instead of GGUF", _AGAIN


def _shown(first: bytes) -> str:
    """Return readable bytes as they are in quotes, others in hex: "# Pr", 89 50 4e 47."""
    if first.isascii() and first.decode("ascii").isprintable():
        return f'"{first.decode("ascii")}"'
    return first.hex(" ")
