"""Untrusted text made safe to look at: what is invisible or reorders letters is shown, links are judged."""

import re
from urllib.parse import urlsplit

# Bidirectional marks and overrides, C0 and C1 controls but tab and newline, language tags (invisible letters).
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
_LINK_SCHEMES = ("http", "https", "mailto")


def visible_text(text: str) -> str:
    """Return the text with control and direction characters written out, as in ⟨U+202E⟩; \\r\\n becomes \\n."""
    if _HIDDEN.search(text) is None:
        return text
    return _HIDDEN.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text.replace("\r\n", "\n"))


def one_line(text: str, limit: int = 200) -> str:
    """Return the text for a label: one line, controls shown, at most `limit` characters."""
    line = " ".join(visible_text(text[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def safe_link(href: str) -> str:
    """Return the link when it may be offered (http, https, mailto; a host; no hidden characters), else ""."""
    try:
        parts = urlsplit(href)
    except ValueError:
        return ""
    if parts.scheme.lower() not in _LINK_SCHEMES or _HIDDEN.search(href) or "\\" in href:
        return ""
    return href if parts.scheme.lower() == "mailto" or parts.netloc else ""
