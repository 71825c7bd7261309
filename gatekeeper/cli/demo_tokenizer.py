"""A small byte-level BPE tokenizer for the demonstration's models, in the files GPT-2's has.

Rules that live here: the word list, the merges learnt from it, and the five tokenizer files. Any
text can be encoded and comes back unchanged; a listed word after a space is one token.

Not here: the weights and the configuration that have to agree with it (demo_files).

Source: the JSON format of the tokenizers library, and `bytes_to_unicode` of GPT-2's tokenizer.
"""

import json
from collections import Counter
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

END_OF_TEXT: Final = "<|endoftext|>"
_TURNS: Final = ("<|user|>", "<|assistant|>")
_ROLES: Final = ("bos_token", "eos_token", "unk_token", "pad_token")
_CHAT_TEMPLATE: Final = (
    "{% for message in messages %}"
    "{% if message['role'] != 'system' %}<|{{ message['role'] }}|>{% endif %}"
    "{{ message['content'] }}<|endoftext|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_WORDS: Final = """
a about above after again against all almost alone along already also although always among and
another answer any anybody anything approve are area around article as ask at away back be became
because become been before began behind being believe below between body book both bring build
but by call came can care case cause certain change child city clear close come common company
condition consider could country course day decide detector did different do does done door down
during each early end enough even evening ever every example fact family far few find first follow
for form found friend from full gave general get give given go good great group had half hand hard
has have he head hear held help her here high him his hold home hour house how however human if
important in increase information interest into is it its just keep kind know language large last
later learn leave left less let letter level life light like line little live local long look lose
love low machine made main make man many matter may mean member might mind minute model money month
more morning most mother move much must name national near need never new news next night no not
nothing now number of off office often old on once one only open or order other our out over own
page paper part people perhaps person place plan play point possible power present problem public
question quite rather read reader real reason release report research result right room round run
said same saw say school second see seem sentence set several shall she short should show side
since small so social some something soon speak stand start state step still stop story street
strong study such system table take talk tell text than thank that the their them then there these
they thing think this those though thought three through time to today together told too took toward
town true turn two under until up upon us use usual very voice wait walk want war was watch water
way we week well went were what when where whether which while who whole why will with within
without woman word work world would write year yes yesterday yet you young your
"""


def write_tokenizer(directory: Path, *, max_length: int, chats: bool) -> Mapping[str, int]:
    """Write the five tokenizer files and return the vocabulary, from token to id.

    `max_length` is the context in tokens; one that `chats` has turn markers and a chat template.
    """
    special_tokens = (END_OF_TEXT, *_TURNS) if chats else (END_OF_TEXT,)
    tokens = [*_byte_letters(), *(first + second for first, second in _merges()), *special_tokens]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    pairs = [f"{first} {second}" for first, second in _merges()]
    added = {token: vocabulary[token] for token in special_tokens}
    write_json(directory / "tokenizer.json", _tokenizer(vocabulary, pairs, added))
    write_json(directory / "vocab.json", vocabulary)
    write_text(directory / "merges.txt", "\n".join(["#version: 0.2", *pairs, ""]))
    roles: dict[str, object] = dict.fromkeys(_ROLES, END_OF_TEXT)
    if chats:
        roles["additional_special_tokens"] = list(_TURNS)
    write_json(directory / "special_tokens_map.json", roles)
    settings = roles | {
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": max_length,
        "tokenizer_class": "GPT2Tokenizer",
    }
    if chats:
        settings["chat_template"] = _CHAT_TEMPLATE
    write_json(directory / "tokenizer_config.json", settings)
    return vocabulary


def _tokenizer(
    vocabulary: Mapping[str, int], pairs: list[str], added: Mapping[str, int]
) -> dict[str, object]:
    """Compose tokenizer.json: split into words and bytes, merge, and the same way back."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": True,
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": number, "content": token, **flags, "special": True}
            for token, number in added.items()
        ],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": byte_level,
        "decoder": byte_level,
        "model": {"type": "BPE", "unk_token": None, "vocab": vocabulary, "merges": pairs},
    }


def _byte_letters() -> list[str]:
    """Return the visible letter that stands for each byte, printable bytes first."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in printable] + [chr(0x100 + n) for n in range(256 - len(printable))]


@cache
def _merges() -> tuple[tuple[str, str], ...]:
    """Learn byte pair merges, the most frequent pair first, until each word is one token."""
    words = [["Ġ", *word] for word in _WORDS.split()]
    merges: list[tuple[str, str]] = []
    while words:
        counts = Counter(pair for word in words for pair in pairwise(word))
        best, _ = max(counts.items(), key=lambda item: (item[1], item[0]))
        merges.append(best)
        words = [merged for word in words if len(merged := _merge(word, best)) > 1]
    return tuple(merges)


def _merge(word: list[str], pair: tuple[str, str]) -> list[str]:
    """Join each occurrence of `pair` in `word`, from left to right."""
    first, second = pair
    if first not in word or second not in word:
        return word
    merged: list[str] = []
    for symbol in word:
        if symbol == second and merged and merged[-1] == first:
            merged[-1] = first + second
        else:
            merged.append(symbol)
    return merged


def write_json(path: Path, content: object) -> None:
    """Write `content` as indented JSON, its keys in the order given."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with plain line feeds on every system."""
    path.write_text(text, encoding="utf-8", newline="\n")
