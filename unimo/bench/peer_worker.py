"""PyTorch and transformers as a worker of :mod:`unimo.bench.peers`. Runs alone in their environment, as a script.

The same sizes, the same allocator settings, fused attention; the training step is masked language modelling on gathered
positions with dropout 0.1, clipping by global norm and AdamW.
"""

from __future__ import annotations

import ctypes
import json
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # glibc's malloc.h
Work = Callable[[], Any]


def keep_freed_memory() -> None:
    """The allocator settings that unimo.runtime.settings applies."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_TOP_PAD, 64 * 1024 * 1024)


def encoder(work: str, options: dict[str, Any]) -> Work:
    """RoBERTa's encoder: `forward`, or a training `step`."""
    import torch
    from transformers import RobertaConfig, RobertaForMaskedLM

    torch.manual_seed(7)
    config = RobertaConfig(
        vocab_size=options["vocab_size"],
        hidden_size=options["hidden_size"],
        num_hidden_layers=options["num_hidden_layers"],
        num_attention_heads=options["num_attention_heads"],
        intermediate_size=4 * options["hidden_size"],
        max_position_embeddings=514,
        type_vocab_size=1,
        attn_implementation="sdpa",
    )
    model = RobertaForMaskedLM(config)
    ids = torch.randint(3, config.vocab_size, (options["batch"], options["num_tokens"]))
    rows = torch.randperm(ids.numel())[: options["num_masked"]].sort().values
    labels = torch.randint(3, config.vocab_size, (len(rows),))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.01, fused=True)

    def forward() -> None:
        model.eval()
        with torch.no_grad():
            model.roberta(ids)

    def step() -> None:
        model.train()
        hidden = model.roberta(ids).last_hidden_state.flatten(0, 1)[rows]
        torch.nn.functional.cross_entropy(model.lm_head(hidden), labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return {"forward": forward, "step": step}[work]


def decode(work: str, options: dict[str, Any]) -> Work:
    """GPT-2 of the same sizes as a prefix language model, with transformers' beam search."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(7)
    config = GPT2Config(
        vocab_size=options["vocab_size"],
        n_embd=options["hidden_size"],
        n_layer=options["num_hidden_layers"],
        n_head=options["num_attention_heads"],
        n_positions=1024,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=1,
    )
    model = GPT2LMHeadModel(config).eval()
    ids = torch.randint(3, config.vocab_size, (options["batch"], options["prefix"]))
    steps, beams = options["num_steps"], options["beam_size"]

    def search() -> None:
        with torch.no_grad():
            model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                num_beams=beams,
                min_new_tokens=steps,
                max_new_tokens=steps,
                do_sample=False,
            )

    return search


WORKS = {"forward": encoder, "step": encoder, "decode": decode}


def main() -> None:
    """Answer every line of standard input until it ends."""
    keep_freed_memory()
    import torch
    import transformers

    run: Work | None = None
    now = time.process_time
    for line in sys.stdin:
        question = json.loads(line)
        if "work" in question:
            options = question["options"]
            torch.set_num_threads(options["threads"])
            now = time.process_time if options["threads"] == 1 else time.perf_counter
            run = WORKS[question["work"]](question["work"], options)
            answer: dict[str, Any] = {"ready": {"torch": torch.__version__, "transformers": transformers.__version__}}
        else:
            assert run is not None
            start = now()
            run()
            answer = {"seconds": now() - start}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
