"""Makes the tokenizer fixtures bpe, glm, spm, spm_gemma and spm_bpe; run it in the reference environment (README.md).

`python -m tests.goldens.make_tokenizers`. The tests read the files as committed: trainers may change from version to
version, so making them again makes new goldens necessary.
"""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.support.golden_checkpoint import TOKENIZERS

TEXT = """The quick brown fox jumps over the lazy dog, and then the other dogs think about it: there is nothing to do.
In the beginning there was the word; in 2024 there were 12345 of them, and 67.89 percent were the same words.
def function(value): return [item for item in value if item is not None]  # the comment in the code
Die Würde des Menschen ist unantastbar. L'été était très chaud. El niño está aquí. Привет, мир! Привет, мама!
人工智能是计算机科学的一个分支。人工智能的研究。こんにちは世界。こんにちは。 안녕하세요 세계. 안녕하세요.
हिन्दी भाषा. हिन्दी. العربية العربية
        int main(void) { return 0; }        for (int i = 0; i < 10; i++) { printf("the value is %d\\n", i); }
"""
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
GLM = (
    "[gMASK]<sop>{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
INST = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}[INST] {{ message['content'] }} "
    "[/INST]{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}"
)


def main() -> None:
    """Write the five fixtures."""
    bpe(TOKENIZERS / "bpe")
    glm(TOKENIZERS / "glm", TOKENIZERS / "bpe")
    pieces = spm(TOKENIZERS / "spm")
    spm_gemma(TOKENIZERS / "spm_gemma", TOKENIZERS / "spm")
    spm_bpe(TOKENIZERS / "spm_bpe", pieces)


def bpe(folder: Path) -> None:
    """Write a byte-level BPE tokenizer that splits as Qwen2's does; three special tokens, two added ones."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(QWEN2), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator([TEXT], trainers.BpeTrainer(vocab_size=286, initial_alphabet=alphabet))
    document = json.loads(tokenizer.to_str())
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"]
    document["added_tokens"] = [_added(286 + i, name, special=name[1] == "|") for i, name in enumerate(names)]
    parts = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    document["post_processor"] = document["decoder"] = parts
    config = {
        "add_prefix_space": False,
        "added_tokens_decoder": {str(entry.pop("id")): entry for entry in _copies(document["added_tokens"])},
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
        "bos_token": None,
        "chat_template": CHATML,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    _write(folder, {"tokenizer.json": document, "tokenizer_config.json": config})


def glm(folder: Path, base: Path) -> None:
    """Write the tokenizer of bpe with GLM's tokens of roles, as transformers 5 saves it: in tokenizer.json alone."""
    document = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))
    roles = ["[MASK]", "[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|observation|>"]
    document["added_tokens"] += [_added(291 + i, name) for i, name in enumerate(roles)]
    config = {
        "clean_up_tokenization_spaces": False,
        "do_lower_case": False,
        "eos_token": "<|endoftext|>",
        "extra_special_tokens": ["<|endoftext|>", *roles],
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    _write(folder, {"tokenizer.json": document, "tokenizer_config.json": config})
    (folder / "chat_template.jinja").write_text(GLM, encoding="utf-8")


def spm(folder: Path) -> list[tuple[str, float, str]]:
    """Write a SentencePiece BPE model with bytes, control and user-defined pieces; gives (piece, score, kind)."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.splitlines()),
        model_writer=model,
        model_type="bpe",
        vocab_size=480,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        control_symbols=["<|im_end|>"],
        user_defined_symbols=["<tool>"],
        num_threads=1,
        minloglevel=2,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    _write(folder, {"tokenizer_config.json": _llama_config(), "added_tokens.json": {"<|extra|>": 480}})
    return list(_pieces(sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())))


def spm_gemma(folder: Path, like: Path) -> None:
    """Write the same SentencePiece model, only that it puts no space before a text, as Gemma's do not."""
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((like / "tokenizer.model").read_bytes())
    model.normalizer_spec.add_dummy_prefix = False
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
    for name in ("tokenizer_config.json", "added_tokens.json"):
        (folder / name).write_bytes((like / name).read_bytes())


def _pieces(processor: Any) -> Iterator[tuple[str, float, str]]:
    for i in range(processor.vocab_size()):
        kinds = {"unknown": processor.IsUnknown(i), "control": processor.IsControl(i), "byte": processor.IsByte(i)}
        kind = next((name for name, true in kinds.items() if true), "normal")
        if processor.IdToPiece(i) == "<tool>":
            kind = "user"
        yield processor.IdToPiece(i), processor.GetScore(i), kind


def _llama_config() -> dict[str, Any]:
    content = {0: "<unk>", 1: "<s>", 2: "</s>"}
    decoder = {str(i): {key: value for key, value in _added(i, c).items() if key != "id"} for i, c in content.items()}
    return {
        "add_bos_token": True,
        "add_eos_token": False,
        "added_tokens_decoder": decoder,
        "bos_token": "<s>",
        "chat_template": INST,
        "clean_up_tokenization_spaces": False,
        "eos_token": "</s>",
        "legacy": False,
        "model_max_length": 1000000000000000019884624838656,
        "pad_token": None,
        "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>",
    }


def spm_bpe(folder: Path, pieces: Sequence[tuple[str, float, str]]) -> None:
    """Write the same vocabulary as a tokenizer.json alone: BPE with byte_fallback, merges in the order of scores."""
    ids = {piece: i for i, (piece, _, _) in enumerate(pieces)}
    added = [
        _added(i, p, special=k != "user") for i, (p, _, k) in enumerate(pieces) if k in ("unknown", "control", "user")
    ]
    model = {
        "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
        "vocab": ids, "merges": list(_merges(pieces, ids)),
    }  # fmt: skip
    bos, text = {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    second = [{part: {**value, "type_id": 1} for part, value in piece.items()} for piece in
              (bos, {"Sequence": {"id": "B", "type_id": 1}})]  # fmt: skip
    template = {
        "type": "TemplateProcessing", "single": [bos, text], "pair": [bos, text, *second],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
    }  # fmt: skip
    space = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    back = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    document = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, space]},
        "pre_tokenizer": None, "post_processor": template,
        "decoder": {"type": "Sequence", "decoders": [back, {"type": "ByteFallback"}, {"type": "Fuse"},
                    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": model,
    }  # fmt: skip
    config = {**_llama_config(), "tokenizer_class": "PreTrainedTokenizerFast"}
    config["added_tokens_decoder"] = {str(entry.pop("id")): entry for entry in _copies(added)}
    _write(folder, {"tokenizer.json": document, "tokenizer_config.json": config})


def _merges(pieces: Sequence[tuple[str, float, str]], ids: dict[str, int]) -> Iterator[list[str]]:
    """Give the pairs whose join is a piece, best score first, as HF's converter of SentencePiece models does."""
    normal = {piece: score for piece, score, kind in pieces if kind == "normal"}
    for piece in sorted(normal, key=lambda piece: -normal[piece]):
        pairs = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        known = [(left, right) for left, right in pairs if left in normal and right in normal]
        yield from ([left, right] for left, right in sorted(known, key=lambda pair: (ids[pair[0]], ids[pair[1]])))


def _added(number: int, content: str, special: bool = True) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": number, "content": content, **flags, "special": special}


def _copies(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [dict(entry) for entry in entries]


def _write(folder: Path, files: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        text = json.dumps(content, ensure_ascii=False, indent=None if name == "tokenizer.json" else 1)
        (folder / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
