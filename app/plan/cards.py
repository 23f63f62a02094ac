"""How fast usual graphics cards read their memory, by the names that their drivers give them."""

import re

from app.devices.values import Gpu

GB = 10**9
LARGE_CARD_BYTES, LARGE_CARD_BANDWIDTH, SMALL_CARD_BANDWIDTH = 8 * GB, 300e9, 150e9
UNKNOWN_MX_BANDWIDTH = 48e9
GPU_BANDWIDTHS: tuple[tuple[str, float], ...] = (
    # Makers' data sheets, bytes a second; the first name found in the device's name counts.
    # NVIDIA, laptops first: their cards are slower than the desktop's of the same name.
    ("5090 laptop", 896e9),
    ("5080 laptop", 896e9),
    ("5070 ti laptop", 672e9),
    ("5070 laptop", 384e9),
    ("5060 laptop", 384e9),
    ("5050 laptop", 384e9),
    ("4090 laptop", 576e9),
    ("4080 laptop", 432e9),
    ("4070 laptop", 256e9),
    ("4060 laptop", 256e9),
    ("4050 laptop", 192e9),
    ("4050", 192e9),
    ("3080 ti laptop", 512e9),
    ("3080 laptop", 448e9),
    ("3070 ti laptop", 448e9),
    ("3070 laptop", 448e9),
    ("3060 laptop", 336e9),
    ("3050 ti laptop", 192e9),
    ("3050 laptop", 192e9),
    ("5090", 1792e9),
    ("5080", 960e9),
    ("5070 ti", 896e9),
    ("5070", 672e9),
    ("5060 ti", 448e9),
    ("5060", 448e9),
    ("5050", 320e9),
    ("4090", 1008e9),
    ("4080 super", 736e9),
    ("4080", 717e9),
    ("4070 ti super", 672e9),
    ("4070 ti", 504e9),
    ("4070 super", 504e9),
    ("4070", 504e9),
    ("4060 ti", 288e9),
    ("4060", 272e9),
    ("3090 ti", 1008e9),
    ("3090", 936e9),
    ("3080 ti", 912e9),
    ("3080", 760e9),
    ("3070 ti", 608e9),
    ("3070", 448e9),
    ("3060 ti", 448e9),
    ("3060", 360e9),
    ("3050", 224e9),
    ("2080 ti", 616e9),
    ("2080 super", 496e9),
    ("2080", 448e9),
    ("2070", 448e9),
    ("2060", 336e9),
    ("1660 super", 336e9),
    ("1660 ti", 288e9),
    ("1660", 192e9),
    ("1650 super", 192e9),
    ("1650 ti", 192e9),
    ("1650", 128e9),
    ("1080 ti", 484e9),
    ("1080", 320e9),
    ("1070", 256e9),
    ("1060", 192e9),
    ("1050 ti", 112e9),
    ("1050", 112e9),
    ("mx570", 96e9),
    ("mx550", 96e9),
    ("mx450", 64e9),
    ("mx350", 56e9),
    ("mx250", 48e9),
    ("mx150", 48e9),
    ("b200", 8000e9),
    ("h200", 4800e9),
    ("h100", 3350e9),
    ("a100", 1555e9),
    ("v100", 900e9),
    ("p100", 732e9),
    ("l40", 864e9),
    ("l4", 300e9),
    ("t4", 320e9),
    ("a40", 696e9),
    ("a30", 933e9),
    ("a10", 600e9),
    ("p40", 347e9),
    ("m40", 288e9),
    ("pro 6000", 1792e9),
    ("6000 ada", 960e9),
    ("5000 ada", 576e9),
    ("4500 ada", 432e9),
    ("4000 ada", 360e9),
    ("2000 ada", 224e9),
    ("a6000", 768e9),
    ("a5500", 768e9),
    ("a5000", 768e9),
    ("a4500", 640e9),
    ("a4000", 448e9),
    ("a2000", 288e9),
    ("gb10", 273e9),
    # AMD.
    ("9070", 640e9),
    ("9060", 320e9),
    ("7900 xtx", 960e9),
    ("7900 gre", 576e9),
    ("7900", 800e9),
    ("7800", 624e9),
    ("7700", 432e9),
    ("7600", 288e9),
    ("6950", 576e9),
    ("6900", 512e9),
    ("6800", 512e9),
    ("6750", 432e9),
    ("6700", 384e9),
    ("6650", 280e9),
    ("6600", 224e9),
    ("6500", 144e9),
    ("6400", 128e9),
    ("rx 5700", 448e9),
    ("rx 5600", 288e9),
    ("rx 5500", 224e9),
    ("rx 590", 256e9),
    ("rx 580", 256e9),
    ("rx 570", 224e9),
    ("rx 560", 112e9),
    ("vega 64", 484e9),
    ("vega 56", 410e9),
    ("radeon vii", 1024e9),
    ("mi300", 5300e9),
    ("mi250", 3277e9),
    ("mi210", 1638e9),
    ("mi100", 1229e9),
    ("mi50", 1024e9),
    ("8060s", 256e9),
    ("8050s", 256e9),
    ("890m", 120e9),
    # Intel.
    ("b580", 456e9),
    ("b570", 380e9),
    ("a770", 560e9),
    ("a750", 512e9),
    ("a580", 512e9),
    ("a380", 186e9),
    ("a310", 124e9),
    ("arc 140v", 136e9),
    # Apple.
    ("m3 ultra", 819e9),
    ("m2 ultra", 800e9),
    ("m1 ultra", 800e9),
    ("m4 max", 546e9),
    ("m3 max", 400e9),
    ("m2 max", 400e9),
    ("m1 max", 400e9),
    ("m4 pro", 273e9),
    ("m3 pro", 150e9),
    ("m2 pro", 200e9),
    ("m1 pro", 200e9),
    ("apple m4", 120e9),
    ("apple m3", 100e9),
    ("apple m2", 100e9),
    ("apple m1", 68e9),
)
_TRADEMARK = re.compile(r"\((?:r|tm|c)\)")
_GLUED = re.compile(r"(?<=tx|rx)(?=\d)|(?<=\d)(?=(?:ti|super|laptop|xtx?|gre|ada)\b)")
_UNKNOWN_MX = re.compile(r"\bmx ?\d{3}\b")


def known_bandwidth(name: str) -> float | None:
    """Return the bytes a second that a card of this name reads, None for an unknown one."""
    plain = _TRADEMARK.sub("", name.lower()).replace("mobile", "laptop")
    plain = " ".join(_GLUED.sub(" ", plain).split())
    for part, bandwidth in GPU_BANDWIDTHS:
        if part in plain and re.search(_whole(part), plain):
            return bandwidth
    return UNKNOWN_MX_BANDWIDTH if _UNKNOWN_MX.search(plain) else None


def assumed_bandwidth(gpu: Gpu) -> float:
    """Return what a card of an unknown name is taken to read: small ones are slow ones, too."""
    return LARGE_CARD_BANDWIDTH if gpu.total_bytes >= LARGE_CARD_BYTES else SMALL_CARD_BANDWIDTH


def _whole(part: str) -> str:
    """Return the pattern of a name's part that is no piece of a longer word ("l4") or number ("580")."""
    before = r"(?<!\d)" if part[0].isdigit() else r"(?<![a-z0-9])"
    return rf"{before}{re.escape(part)}(?!\d)"
