"""The texts that both tokenizers are compared on: 20 scripts, code, digits, whitespace runs, punctuation, emoji.

All are in Unicode's composed form (NFC): some HF tokenizers compose first and llama.cpp never does, which is a
difference of normalization that no pre-tokenizer mends.
"""

import unicodedata
from collections.abc import Sequence
from itertools import cycle, product

_SENTENCES = (
    "The quick brown fox jumps over the lazy dog.",
    "I've told them we'll be there; they're sure he'd say it's John's, isn't it?",
    "I'VE TOLD THEM WE'LL BE THERE, 'TWAS DONE. 'RE 'S 'T 'M 'D",
    "L'été dernier, où étiez-vous ? À Noël, ça coûte 12,50 € l'unité.",
    "Grüße aus München: Straße, Öl, Übermut und Fußgängerübergänge!",
    "El niño comió piñas; ¿cuántas? ¡Muchísimas!",
    "Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "İstanbul'da çay içtik, ığdır'a gittik.",
    "Tiếng Việt có nhiều dấu thanh điệu.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "нещо на Български; Україна та її мова",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.",
    "שלום עולם, מה שלומך היום?",
    "مرحبا بالعالم، كيف حالك اليوم؟ ١٢٣٤",
    "نستعلیق میں لکھی ہوئی اردو",
    "नमस्ते दुनिया, आप कैसे हैं? १२३४५",
    "আমি বাংলায় গান গাই।",
    "தமிழ் மொழி மிகவும் பழமையானது.",
    "తెలుగు భాష చాలా మధురం.",
    "ภาษาไทยไม่มีการเว้นวรรคระหว่างคำ",
    "កាន់តែពិសេសអាច",
    "我想在apple工作1314151天～",
    "今天天气很好，我们去公园散步吧。",
    "繁體中文與简体字混排，標點：「」、……！",
    "吾輩は猫である。名前はまだ無い。カタカナとひらがな。",
    "ｶﾀｶﾅ ｆｕｌｌｗｉｄｔｈ １２３",
    "안녕하세요 세계! 한국어 토큰화 시험입니다.",
    "ქართული ენა და հայերեն լեզու",
    "አማርኛ በኢትዮጵያ ይነገራል።",
    "🚀 (normal) 😶\u200d🌫️ (multiple emojis) ✅ 🦙🦙 👩\u200d👩\u200d👧\u200d👦 🇫🇷🇯🇵",
    "∑_{i=0}^{n} x² ≈ ∫ f(x) dx; α ≤ β ∧ γ ≠ δ → ∞",
    "“Curly” ‘quotes’ — em–en dashes… «guillemets» ‹single›",
)
_CODE = (
    "def f(x: int) -> int:\n    return x ** 2  # square\n",
    'for (int i = 0; i < 10; ++i) { printf("%d\\n", i); }',
    "#include <stdio.h>\n\n\nint main(void)\n{\n\treturn 0;\n}\n",
    "SELECT * FROM users WHERE id IN (1, 22, 333) AND name LIKE '%x%';",
    "const a = async () => { await fetch(`https://x.io/${id}?q=1&r=2#top`); };",
    "<div class=\"row\">\n  <a href='#'>link</a>\n</div>",
    "git commit -m 'fix: #123' && ./run.sh --flag=value | tee out.log",
    '{"key": [1, 2.5, -3e10, null, true], "nested": {"a": "b"}}',
    "fn main() -> Result<(), Box<dyn Error>> {\n    let v: Vec<u8> = vec![0; 16];\n}",
    "\\begin{equation}\n  E = mc^2\n\\end{equation}",
    "CamelCaseWords snake_case_words kebab-case-words SCREAMING_CASE mixedCASEWord",
    "row = {'data': f'total {t}', 'test': rb'\\d+', 'size': d['model']}  # f'data', r'they'll', u'more'",
    "user@example.com http://localhost:8080/path/to/file.tar.gz C:\\Users\\name",
)
_DIGITS = (
    "1",
    "12",
    "123",
    "1234",
    "12345",
    "123456",
    "1234567",
    "12345678",
    "3.14159",
    "1,000,000",
    "3..3",
    "3...3",
    "2026-11-22",
    "0xDEADBEEF",
    "1e-05",
    "50%",
    "v1.2.3",
    "a1b2c3",
    "٣٤٥",
    "½ ¾ ⅓",
    "①②③",
    "x1234567890y",
)
_SPACES = (
    " ",
    "  ",
    "   ",
    "    ",
    "        ",
    " " * 17,
    "\t",
    "\t\t",
    " \t ",
    "\n",
    "\n\n",
    "\n\n\n",
    " \n",
    "\n ",
    "  \n  ",
    "\r\n",
    "\r\n\r\n",
    "\u00a0",
    "\u3000",
    "\u2003",
)
_MARKS = (
    "------",
    "======",
    "''''''",
    "``````",
    '""""',
    "......",
    "!!!!!!",
    "??????",
    "/*",
    "*/",
    "//",
    "##",
    "$$",
    "@@",
    "%%",
    "^^",
    "~~",
    "||",
    "&&",
    "++",
    "::",
    ";;",
    "<<>>",
    "[[]]",
    "{{}}",
    "(())",
    "\\\\",
    "__",
)


def probe_texts(special_tokens: Sequence[str] = ()) -> tuple[str, ...]:
    """Give about 300 different texts; a few hold the tokenizer's own special tokens."""
    texts = [*_SENTENCES, *_CODE, *_DIGITS, *_SPACES, *_MARKS]
    texts += [f"{sentence}\n\n{code}" for sentence, code in zip(_SENTENCES, _CODE, strict=False)]
    texts += [f"{left} {right}" for left, right in zip(_SENTENCES, reversed(_SENTENCES), strict=True)]
    texts += [f" {sentence} " for sentence in _SENTENCES]
    texts += [f"word{space}word{space}" for space in _SPACES]
    texts += [f"{space}7{space}x" for space in _SPACES[:12]]
    texts += [f"a{mark}b {mark} {mark}\n" for mark in _MARKS]
    texts += [f"no. {number}, {number}{word}" for number, word in product(_DIGITS[:11], ("", "th 年"))]
    texts += [f"{sentence}{number}{sentence[:9]}" for sentence, number in zip(_SENTENCES, cycle(_DIGITS), strict=False)]
    texts += [sentence.upper() for sentence in _SENTENCES[:10]]
    texts += [sentence.replace(" ", "\n") for sentence in _SENTENCES[:6]]
    texts += [f"before{token}after {token}\n{token}{token}" for token in special_tokens[:24]]
    return tuple(dict.fromkeys(unicodedata.normalize("NFC", text) for text in texts))
