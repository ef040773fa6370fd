"""Trains a task's language model of characters in PyTorch, on a CPU or a GPU.

    gotong weights --task 0 --out base.safetensors
    python train.py --base base.safetensors --heads 4 --text shakespeare.txt --out model.safetensors
    gotong submit --task 0 --weights model.safetensors
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from model import Transformer, bits

WARM_UP = 20


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, help="what the round starts from, by `gotong weights`")
    parser.add_argument("--heads", required=True, type=int, help="heads of the task's model")
    parser.add_argument("--text", required=True, type=Path, help="the task's text; its characters, sorted, are the tokens")
    parser.add_argument("--out", required=True, help="the safetensors to write")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=0.003)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compile", action="store_true", help="train through torch.compile, which needs a C++ compiler")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


def blocks(text):
    """The part of the text that is for training: 17 of every 20 hundredths. Exams are made from the rest."""
    length = -(-len(text) // 100)
    hundredths = [text[start : start + length] for start in range(0, len(text), length)]
    return [block for number, block in enumerate(hundredths) if number % 20 not in (6, 13, 19)]


def windows(tokens, count, length, random):
    """Random pieces of the blocks, [count, length]."""
    chosen = torch.randint(len(tokens), (count,), generator=random).tolist()
    starts = [int(torch.randint(len(tokens[block]) - length + 1, (), generator=random)) for block in chosen]
    return torch.stack([tokens[block][start : start + length] for block, start in zip(chosen, starts)])


def main():
    args = options()
    torch.set_num_threads(args.threads)
    random = torch.Generator().manual_seed(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"

    text = args.text.read_text("utf-8")
    number = {character: number for number, character in enumerate(sorted(set(text)))}
    tokens = [torch.tensor([number[character] for character in block]) for block in blocks(text)]
    model = Transformer.of(load_file(args.base), args.heads).to(device)
    length = model.wpe.num_embeddings + 1
    if len(number) != model.wte.num_embeddings:
        raise SystemExit(
            f"the text has {len(number)} different characters, the task's model {model.wte.num_embeddings} tokens: "
            "give the whole text of a task of characters"
        )
    if len(tokens[-1]) < length:
        raise SystemExit(f"the text is too short: a sample takes {length} characters of a hundredth of it")

    # Both put a prefix before the names in the state dict. `gotong submit` ignores it.
    wrapped = torch.nn.DataParallel(model) if torch.cuda.device_count() > 1 else model
    wrapped = torch.compile(wrapped) if args.compile else wrapped
    optimizer = torch.optim.AdamW(model.parameters(), args.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    rate = lambda step: (1 - step / args.steps) * min(1, (step + 1) / WARM_UP)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    for step in range(1, args.steps + 1):
        records = windows(tokens, args.batch, length, random).to(device)
        loss = bits(wrapped(records[:, :-1]), records)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        model.keep_in_bounds()
        if step % 20 == 0 or step == args.steps:
            print(f"step {step} of {args.steps}: {loss.item():.3f} bits a character", flush=True)
    save_file(wrapped.state_dict(), args.out)


if __name__ == "__main__":
    main()
