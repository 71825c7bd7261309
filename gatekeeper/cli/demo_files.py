"""Deterministic model files for the demonstration: true formats, random numbers.

Rules that live here: the shape of every demonstration model and the layout of its safetensors.
The same name, card and seed always give the same bytes, on every machine and Python version,
because chance comes from SHAKE-128 of the seed.

Not here: the tokenizer they share (demo_tokenizer), what the models are said to be
(config/demo/releases), the texts that accompany some of them (config/demo/files), and publishing
(the demo command).

Source: the safetensors format (8-byte little-endian header length, JSON header, data), and the
tensor names and configuration keys of GPT-2 as transformers 4.x reads them.
"""

import json
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import shake_128
from math import prod
from pathlib import Path
from statistics import NormalDist
from types import MappingProxyType
from typing import Final, TypeAlias

from gatekeeper.cli.demo_tokenizer import END_OF_TEXT, write_json, write_text, write_tokenizer

Tensor: TypeAlias = tuple[str, tuple[int, ...]]

_LICENCE: Final = """\
Demonstration weights

The weights in this repository are random numbers. They were generated for the demonstration of
Gatekeeper and model nothing. All files here may be used under the Apache License, Version 2.0:
https://www.apache.org/licenses/LICENSE-2.0

They come without warranty of any kind. Where the page of this model names an agreement, it shows
how such an agreement is presented and accepted; these random numbers do not need one.
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """The architecture of one demonstration model: true depth, reduced width.

    A shape with `labels` is a classifier; one that `chats` has turn markers and a chat template.
    """

    layers: int
    width: int
    heads: int
    context: int = 1024
    dtype: str = "BF16"
    shards: int = 1
    labels: tuple[str, ...] = ()
    chats: bool = False

    @property
    def item_bytes(self) -> int:
        """Bytes of one number."""
        return {"BF16": 2, "F32": 4}[self.dtype]


_DETECTOR_LABELS: Final = ("person", "model")
SHAPES: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "lyra-124m": Shape(layers=12, width=72, heads=12),
        "lyra-355m": Shape(layers=24, width=80, heads=16),
        "lyra-774m": Shape(layers=36, width=80, heads=20),
        "lyra-1558m": Shape(layers=48, width=80, heads=20, shards=2),
        "lyra-detect-small": Shape(6, 48, 12, 512, dtype="F32", labels=_DETECTOR_LABELS),
        "lyra-detect-large": Shape(24, 48, 16, 512, dtype="F32", labels=_DETECTOR_LABELS),
        "parley-mini-110m": Shape(layers=12, width=80, heads=10, context=256, chats=True),
        "parley-chat-345m": Shape(layers=24, width=80, heads=16, chats=True),
        "parley-chat-tuned": Shape(layers=24, width=80, heads=16, chats=True),
        "timbre-base": Shape(layers=12, width=80, heads=10),
        "timbre-clone-lite": Shape(layers=16, width=80, heads=16),
        "timbre-clone": Shape(layers=24, width=80, heads=16),
        "argus-60m": Shape(layers=6, width=72, heads=12),
        "argus-220m": Shape(layers=12, width=80, heads=10),
        "argus-770m": Shape(layers=36, width=64, heads=16),
    }
)
DATA_SETS: Final = frozenset({"parley-traps"})


def write_model_files(
    directory: Path, name: str, card: str, seed: str, attached: Path | None = None
) -> None:
    """Write the repository of the demonstration model `name` into `directory`.

    `card` becomes README.md. `attached` names a folder whose files are added as they are; a folder
    that does not exist adds nothing. Files of the same name are overwritten, others are left
    alone. Nothing is synced to disk: the publisher reads and stores the files afterwards.

    Raises:
        ValueError: `name` is neither in SHAPES nor in DATA_SETS.
    """
    if name not in SHAPES and name not in DATA_SETS:
        raise ValueError(f"no demonstration model is called {name!r}; see SHAPES and DATA_SETS")
    directory.mkdir(parents=True, exist_ok=True)
    write_text(directory / "README.md", card)
    write_text(directory / "LICENSE", _LICENCE)
    if (shape := SHAPES.get(name)) is not None:
        vocabulary = write_tokenizer(directory, max_length=shape.context, chats=shape.chats)
        _write_configuration(directory, shape, vocabulary)
        _write_weights(directory, shape, len(vocabulary), f"{seed}/{name}")
    if attached is not None and attached.is_dir():
        shutil.copytree(attached, directory, copy_function=shutil.copyfile, dirs_exist_ok=True)


# --- Weights --------------------------------------------------------------------------------------


def _tensors(shape: Shape, vocabulary_size: int) -> Iterator[Tensor]:
    """Yield the tensors of GPT-2; linear layers are stored (in, out), as its Conv1D does."""
    width = shape.width
    prefix = "transformer." if shape.labels else ""
    yield f"{prefix}wte.weight", (vocabulary_size, width)
    yield f"{prefix}wpe.weight", (shape.context, width)
    linear = (
        ("attn.c_attn", width, 3 * width),
        ("attn.c_proj", width, width),
        ("mlp.c_fc", width, 4 * width),
        ("mlp.c_proj", 4 * width, width),
    )
    for layer in range(shape.layers):
        for norm in ("ln_1", "ln_2"):
            yield f"{prefix}h.{layer}.{norm}.weight", (width,)
            yield f"{prefix}h.{layer}.{norm}.bias", (width,)
        for part, size_in, size_out in linear:
            yield f"{prefix}h.{layer}.{part}.weight", (size_in, size_out)
            yield f"{prefix}h.{layer}.{part}.bias", (size_out,)
    yield f"{prefix}ln_f.weight", (width,)
    yield f"{prefix}ln_f.bias", (width,)
    if shape.labels:
        yield "score.weight", (len(shape.labels), width)


@cache
def _normal_top_bytes() -> bytes:
    """Map a uniform byte to the top byte (sign and seven exponent bits) of a normal float.

    The lower bytes stay uniform, which spreads each value over two binades. The quantiles are
    taken from a narrower curve to allow for that: the result has a mean of 0 and a deviation of
    0.02, as a fresh GPT-2 has it. All magnitudes lie below 0.125, so nothing is infinite or NaN.
    """
    quantile = NormalDist(0.0, 0.0147).inv_cdf
    return bytes(struct.pack(">f", quantile((i + 0.5) / 256))[0] for i in range(256))


def _numbers(shape: Shape, tensor: Tensor, seed: str) -> bytes:
    """Return the little-endian data of one tensor: norms one, biases zero, the rest random."""
    name, dimensions = tensor
    count, size = prod(dimensions), shape.item_bytes
    if name.endswith(".bias"):
        return bytes(count * size)
    if ".ln_" in f".{name}":
        return struct.pack("<f", 1.0)[-size:] * count
    data = bytearray(shake_128(f"{seed}/{name}".encode()).digest(count * size))
    data[size - 1 :: size] = data[size - 1 :: size].translate(_normal_top_bytes())
    return bytes(data)


def _write_safetensors(path: Path, shape: Shape, tensors: Sequence[Tensor], seed: str) -> None:
    """Write `tensors` to one file, in order and without gaps, the header padded to 8 bytes."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, dimensions in tensors:
        end = offset + prod(dimensions) * shape.item_bytes
        header[name] = {"dtype": shape.dtype, "shape": dimensions, "data_offsets": (offset, end)}
        offset = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        file.writelines(_numbers(shape, tensor, seed) for tensor in tensors)


def _write_weights(directory: Path, shape: Shape, vocabulary_size: int, seed: str) -> None:
    """Write `model.safetensors`, or its shards of about equal size and their index."""
    tensors = list(_tensors(shape, vocabulary_size))
    if shape.shards == 1:
        _write_safetensors(directory / "model.safetensors", shape, tensors, seed)
        return
    sizes = {name: prod(dimensions) * shape.item_bytes for name, dimensions in tensors}
    total_bytes = sum(sizes.values())
    shards: list[list[Tensor]] = [[] for _ in range(shape.shards)]
    written = 0
    for tensor in tensors:
        shards[written * shape.shards // total_bytes].append(tensor)
        written += sizes[tensor[0]]
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        file_name = f"model-{number:05}-of-{shape.shards:05}.safetensors"
        _write_safetensors(directory / file_name, shape, shard, seed)
        weight_map |= {name: file_name for name, _ in shard}
    index = {"metadata": {"total_size": total_bytes}, "weight_map": weight_map}
    write_json(directory / "model.safetensors.index.json", index)


# --- Configuration --------------------------------------------------------------------------------

_GPT2: Final = {
    "activation_function": "gelu_new",
    "attn_pdrop": 0.1,
    "embd_pdrop": 0.1,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "model_type": "gpt2",
    "n_inner": None,
    "resid_pdrop": 0.1,
    "scale_attn_weights": True,
    "use_cache": True,
}


def _write_configuration(directory: Path, shape: Shape, vocabulary: Mapping[str, int]) -> None:
    """Write config.json in agreement with the tensors; for generators, sampling defaults too."""
    ends = {"bos_token_id": vocabulary[END_OF_TEXT], "eos_token_id": vocabulary[END_OF_TEXT]}
    config: dict[str, object] = _GPT2 | ends
    config |= {
        "architectures": ["GPT2ForSequenceClassification" if shape.labels else "GPT2LMHeadModel"],
        "n_ctx": shape.context,
        "n_embd": shape.width,
        "n_head": shape.heads,
        "n_layer": shape.layers,
        "n_positions": shape.context,
        "torch_dtype": "float32" if shape.dtype == "F32" else "bfloat16",
        "vocab_size": len(vocabulary),
    }
    if shape.labels:
        config["id2label"] = dict(enumerate(shape.labels))
        config["label2id"] = {label: number for number, label in enumerate(shape.labels)}
        config["pad_token_id"] = vocabulary[END_OF_TEXT]
    else:
        sampling = {"do_sample": True, "temperature": 1.0, "top_k": 40}
        write_json(directory / "generation_config.json", ends | sampling)
    write_json(directory / "config.json", config)
