"""Makes the tokenizer fixtures tekken and tiktoken: 256 bytes, about 150 learned tokens, special tokens.

`python -m tests.support.ranked_fixtures` writes them again into tests/fixtures/tokenizers; only `tokenizers` is needed.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as Steps
from tokenizers.trainers import BpeTrainer

from converters.tokenizer.pre_tokenizers import STYLES
from converters.tokenizer.ranks import written
from converters.tokenizer.tekken import OLD_SPECIAL

TOKENIZERS = Path(__file__).parents[1] / "fixtures" / "tokenizers"
TEXT = """The quick brown fox jumps over the lazy dog, and then the other dogs think about it: there is nothing to do.
In the beginning there was the word; in 2024 there were 12345 of them, and 67.89 percent were the same words.
def function(value): return [item for item in value if item is not None]  # the comment in the code
Die Würde des Menschen ist unantastbar. L'été était très chaud. El niño está aquí. Привет, мир! Привет, мама!
人工智能是计算机科学的一个分支。人工智能的研究。こんにちは世界。こんにちは。 안녕하세요 세계. 안녕하세요.
        int main(void) { return 0; }        for (int i = 0; i < 10; i++) { printf("the value is %d\\n", i); }
"""
KIMI_SPECIAL = {
    0: "[BOS]", 1: "[EOS]", 2: "<|im_end|>", 3: "<|im_user|>", 4: "<|im_assistant|>", 6: "<|start_header_id|>",
    7: "<|end_header_id|>", 9: "[EOT]", 10: "<|im_system|>", 11: "<|tool_calls_section_begin|>",
    12: "<|tool_calls_section_end|>", 17: "<|im_middle|>", 254: "[UNK]", 255: "[PAD]",
}  # fmt: skip


def learned_tokens(patterns: Sequence[str], texts: Sequence[str], n_tokens: int) -> list[bytes]:
    """Give the 256 bytes and the tokens that training on the texts finds, split by the patterns, in order."""
    tokenizer = Tokenizer(BPE())
    steps = [Split(Regex(pattern), "isolated") for pattern in patterns]
    tokenizer.pre_tokenizer = Steps([*steps, ByteLevel(add_prefix_space=False, use_regex=False)])
    alphabet = ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, BpeTrainer(vocab_size=n_tokens, initial_alphabet=alphabet, show_progress=False)
    )
    bytes_of = {written(bytes([byte])): byte for byte in range(256)}
    tokens = [bytes(bytes_of[letter] for letter in token) for token in _by_id(tokenizer)]
    return [*(bytes([byte]) for byte in range(256)), *(token for token in tokens if len(token) > 1)]


def _by_id(tokenizer: Tokenizer) -> list[str]:
    return sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)


def tekken(tokens: Sequence[bytes], special: Sequence[str], n_special: int, version: str = "v7") -> dict[str, Any]:
    """Give the content of a tekken.json; it holds eight tokens more than it says count, as the real ones hold more."""
    entries = [_tekken_entry(rank, token) for rank, token in enumerate(tokens)]
    return {
        "config": {
            "pattern": STYLES["tekken"][0],
            "num_vocab_tokens": len(tokens),
            "default_vocab_size": len(tokens) - 8 + n_special,
            "default_num_special_tokens": n_special,
            "version": version,
        },
        "vocab": entries,
        "special_tokens": [{"rank": i, "token_str": name, "is_control": True} for i, name in enumerate(special)],
    }


def _tekken_entry(rank: int, token: bytes) -> dict[str, Any]:
    return {"rank": rank, "token_bytes": b64encode(token).decode(), "token_str": None}


def tiktoken_lines(tokens: Sequence[bytes]) -> str:
    """Give the content of a tiktoken.model."""
    return "".join(f"{b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens))


def kimi_config(n_ranks: int) -> dict[str, Any]:
    """Give a tokenizer_config.json as Kimi-K2's is."""
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    added = {str(n_ranks + i): {"content": name, **flags} for i, name in KIMI_SPECIAL.items()}
    return {
        "added_tokens_decoder": added,
        "additional_special_tokens": ["<|im_end|>", "<|im_user|>", "<|im_assistant|>", "[EOT]"],
        "auto_map": {"AutoTokenizer": ["tokenization_kimi.TikTokenTokenizer", None]},
        "bos_token": "[BOS]",
        "chat_template": "{% for message in messages %}<|im_user|>user<|im_middle|>{{ message.content }}<|im_end|>"
        "{% endfor %}{% if add_generation_prompt %}<|im_assistant|>assistant<|im_middle|>{% endif %}",
        "clean_up_tokenization_spaces": False,
        "eos_token": "[EOS]",
        "extra_special_tokens": {},
        "pad_token": "[PAD]",
        "tokenizer_class": "TikTokenTokenizer",
        "unk_token": "[UNK]",
    }


def main() -> None:
    """Write both fixtures."""
    tokens = learned_tokens(STYLES["tekken"], [TEXT], 256 + 120)
    _write(TOKENIZERS / "tekken" / "tekken.json", json.dumps(tekken(tokens, OLD_SPECIAL, 24), separators=(",", ":")))
    tokens = learned_tokens(STYLES["kimi"], [TEXT], 256 + 120)
    _write(TOKENIZERS / "tiktoken" / "tiktoken.model", tiktoken_lines(tokens))
    _write(TOKENIZERS / "tiktoken" / "tokenizer_config.json", json.dumps(kimi_config(len(tokens)), indent=1) + "\n")


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
