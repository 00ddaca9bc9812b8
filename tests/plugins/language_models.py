"""Small language models of random weights, with tokenizers of every make, for tests."""

import argparse
import json
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers

# A text that every machine has.
TEXT = Path(argparse.__file__).read_bytes()
END, START, STOP, UNKNOWN = "<|end|>", "<s>", "</s>", "<unk>"


def byte_level(vocabulary: int = 400) -> Any:
    """Return a tokenizer of GPT-2's make."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([TEXT.decode()], trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=END, eos_token=END
    )


def metaspace() -> Any:
    """Return a tokenizer of Llama 2's make: a space in front, bytes as <0xNN>."""
    hexadecimal = [f"<0x{i:02X}>" for i in range(256)]
    made = tokenizers.Tokenizer(tokenizers.models.BPE(byte_fallback=True))
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=[UNKNOWN, START, STOP, *hexadecimal],
        show_progress=False,
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    made.train_from_iterator([TEXT.decode()], trainer)
    # In a trained model the bytes are plain entries of the vocabulary.
    described = json.loads(made.to_str())
    kept = {UNKNOWN, START, STOP}
    described["added_tokens"] = [
        one for one in described["added_tokens"] if one["content"] in kept
    ]
    described["model"] |= {"unk_token": UNKNOWN, "byte_fallback": True}
    described["pre_tokenizer"] = None
    described["normalizer"] = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": "\u2581"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        ],
    }
    described["decoder"] = {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ],
    }
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_str(json.dumps(described)),
        bos_token=START,
        eos_token=STOP,
        unk_token=UNKNOWN,
    )


def normalising() -> Any:
    """Return a tokenizer that changes text and lacks most bytes: it loses what it reads."""
    made = tokenizers.Tokenizer(tokenizers.models.Unigram())
    made.normalizer = tokenizers.normalizers.Sequence(
        [tokenizers.normalizers.NFKC(), tokenizers.normalizers.Lowercase()]
    )
    trainer = tokenizers.trainers.UnigramTrainer(
        vocab_size=300,
        special_tokens=[UNKNOWN, START],
        unk_token=UNKNOWN,
        show_progress=False,
    )
    made.train_from_iterator([TEXT[:20_000].decode()], trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=START, unk_token=UNKNOWN
    )


def saved(folder: Path, tokenizer: Any, *, seed: int = 0, llama: bool = False) -> Path:
    """Save a tokenizer and a model of random weights for it."""
    torch.manual_seed(seed)
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": None}
    if llama:
        config = transformers.LlamaConfig(
            vocab_size=len(tokenizer),
            max_position_embeddings=64,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            **ids,
        )
        model = transformers.LlamaForCausalLM(config)
    else:
        config = transformers.GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=64,
            n_embd=16,
            n_layer=2,
            n_head=2,
            **ids,
        )
        model = transformers.GPT2LMHeadModel(config)
    with torch.no_grad():  # fresh weights predict all tokens alike
        for weight in model.parameters():
            weight.mul_(4)
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
