"""Makes the tokenizer fixture gemma4; run it in the reference environment (README.md).

`python -m tests.goldens.make_gemma4_tokenizer`. A SentencePiece model is trained with the pieces that Gemma 4 has of
its own, and saved by HF's GemmaTokenizer, as the repositories' own files are made.
"""

import io
import json
from pathlib import Path

from tests.goldens.make_tokenizers import TEXT
from tests.support.golden_checkpoint import TOKENIZERS

NAMED = {
    "image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>", "sot_token": "<|turn>",
    "eot_token": "<turn|>", "soc_token": "<|channel>", "eoc_token": "<channel|>", "think_token": "<|think|>",
    "escape_token": '<|"|>', "str_token": "<|tool_response>", "etr_token": "<tool_response|>",
    "stc_token": "<|tool_call>", "etc_token": "<tool_call|>", "std_token": "<|tool>", "etd_token": "<tool|>",
}  # fmt: skip
RUNS = [letter * n for letter, longest in (("\n", 5), ("\u2581", 8), ("\t", 3)) for n in range(1, longest + 1)]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|turn>' + message['role'] + '\\n' + message['content'] "
    "+ '<turn|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|turn>model\\n' }}{% endif %}"
)


def main() -> None:
    """Write the fixture."""
    from tokenizers.models import BPE
    from transformers import GemmaTokenizer  # noqa: TID251
    from transformers.convert_slow_tokenizer import SentencePieceExtractor  # noqa: TID251

    folder = TOKENIZERS / "gemma4"
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "trained.model"
    model.write_bytes(_train())
    parts = SentencePieceExtractor(str(model)).extract(BPE)
    model.unlink()
    tokenizer = GemmaTokenizer(
        vocab=parts["vocab"], merges=parts["merges"], add_bos_token=False, padding_side="left",
        extra_special_tokens=NAMED, chat_template=TEMPLATE,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    _pack(folder / "tokenizer.json")


def _train() -> bytes:
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.splitlines()),
        model_writer=model,
        model_type="bpe",
        vocab_size=512,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        pad_id=0,
        eos_piece="<eos>",
        bos_piece="<bos>",
        eos_id=1,
        bos_id=2,
        unk_id=3,
        control_symbols=["<mask>", *NAMED.values()],
        user_defined_symbols=RUNS,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def _pack(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
