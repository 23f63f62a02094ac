"""The types offered for a conversion and what each is good for."""

from app.gui.convert.words import tr

RECOMMENDED = "Q4_K_M"
USUAL = ("Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "BF16")
"""Shown at once; the others stand behind "More types"."""
OTHERS = ("Q3_K_S", "Q3_K_L", "IQ4_XS", "IQ4_NL", "Q4_0", "Q4_1", "Q4_K_S", "Q5_0", "Q5_1", "Q5_K_S", "F16", "F32")
OFFERED = USUAL + OTHERS


def quality_text(name: str) -> str:
    """Return what a type is good for, "" for one that is not known."""
    words = {
        "Q2_K": tr("smallest, clearly worse"),
        "Q3_K_S": tr("noticeably worse"),
        "Q3_K_M": tr("small, noticeably worse"),
        "Q3_K_L": tr("small, somewhat worse"),
        "IQ4_XS": tr("just below Q4_K_M, smaller"),
        "IQ4_NL": tr("4 bits, better than Q4_0"),
        "Q4_0": tr("4 bits, the oldest kind"),
        "Q4_1": tr("4 bits, an older kind"),
        "Q4_K_S": tr("just below Q4_K_M"),
        "Q4_K_M": tr("recommended: small, good"),
        "Q5_0": tr("5 bits, an older kind"),
        "Q5_1": tr("5 bits, an older kind"),
        "Q5_K_S": tr("just below Q5_K_M"),
        "Q5_K_M": tr("a little better, larger"),
        "Q6_K": tr("close to the original"),
        "Q8_0": tr("practically the original"),
        "BF16": tr("not compressed, 16 bits"),
        "F16": tr("not compressed, 16 bits"),
        "F32": tr("not compressed, 32 bits"),
    }
    return words.get(name, "")
