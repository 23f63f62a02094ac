"""Every colour of the window, by role."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """The colours of one theme; text on background, surface and raised has a contrast of at least 4.5."""

    background: str
    surface: str
    raised: str
    border: str
    selected: str
    hover: str
    text: str
    muted: str
    accent: str
    on_accent: str
    danger: str
    warning: str
    ok: str
    code_keyword: str
    code_string: str
    code_number: str
    code_function: str
    code_comment: str


LIGHT = Theme(
    background="#FAFAF8",
    surface="#FFFFFF",
    raised="#F2F1ED",
    border="#D9D6CF",
    selected="#FFFFFF",
    hover="#E6E4DE",
    text="#1F2328",
    muted="#5B616B",
    accent="#0F766E",
    on_accent="#FFFFFF",
    danger="#B42318",
    warning="#93370D",
    ok="#05603A",
    code_keyword="#7A3E9D",
    code_string="#2F6B1F",
    code_number="#9A4A00",
    code_function="#1A5FB4",
    code_comment="#5B616B",
)

DARK = Theme(
    background="#17191C",
    surface="#1F2226",
    raised="#272B30",
    border="#3B4048",
    selected="#3B4048",
    hover="#30353B",
    text="#E8EAED",
    muted="#A3A9B2",
    accent="#2DD4BF",
    on_accent="#06201D",
    danger="#F97066",
    warning="#FDB022",
    ok="#47CD89",
    code_keyword="#D2A6FF",
    code_string="#A5D6A7",
    code_number="#FFCB6B",
    code_function="#82B1FF",
    code_comment="#A3A9B2",
)

MEMORY_COLOURS = {
    "weights": "#4C78A8",
    "kv": "#E6862C",
    "compute": "#54A6A0",
    "reserve": "#A8A29A",
    "other": "#8F6F57",
}
"""Parts of the memory bar, the same in both themes; each also has a label and a pattern."""
