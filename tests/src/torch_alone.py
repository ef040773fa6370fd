"""One PyTorch process that trains a language model alone, with a good recipe: what a network of contributors has to beat.

AdamW, or Muon for the weights between hidden layers; a warm-up over a twentieth of the updates, then a learning rate that falls to
zero, in a straight line or by half a cosine; on one thread, in plain f32 except for Muon's iterations. Prints one line of JSON: the
updates, the processor seconds that they took, and bits per token of the report, in plain f32 or with the machine's rounding,
whichever is better.
"""

import argparse
import json
import math
import time

import torch
from safetensors.torch import load_file

import model
from torch_optimizers import optimizers_of, update


def records(path, tokens):
    with open(path, "rb") as file:
        bytes = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)
    return bytes.view(-1, tokens + 1).long()


def train(net, data, batch, steps, rate, seed, muon, cosine):
    """Makes `steps` updates, each with other records as long as there are any."""
    random = torch.Generator().manual_seed(seed)
    optimizers = optimizers_of(net, muon)
    warm_up, order = max(1, steps // 20), []
    for step in range(steps):
        if len(order) < batch:
            order = torch.randperm(len(data), generator=random).tolist()
        chosen, order = order[:batch], order[batch:]
        update(optimizers, net, net.bits(data[chosen]), rate * part_of_rate(step, steps, warm_up, cosine))


def part_of_rate(step, steps, warm_up, cosine):
    """What update number `step`, from 0, has of the highest learning rate."""
    if step < warm_up:
        return (step + 1) / warm_up
    left = (steps - step) / (steps - warm_up + 1)
    return (1 - math.cos(math.pi * left)) / 2 if cosine else left


@torch.inference_mode()
def bits(net, report):
    losses = [net.bits(some, "sum").item() for some in report.split(32)]
    return sum(losses) / (report.shape[0] * (report.shape[1] - 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, help="first weights, safetensors")
    parser.add_argument("--heads", required=True, type=int)
    parser.add_argument("--records", required=True, help="what it learns from: tokens and a label each")
    parser.add_argument("--report", required=True, help="what it is reported on")
    parser.add_argument("--batch", required=True, type=int)
    parser.add_argument("--rate", required=True, type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--muon", action="store_true", help="Muon in place of AdamW for the weights between hidden layers")
    parser.add_argument("--cosine", action="store_true", help="the rate falls by half a cosine, instead of in a straight line")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--steps", type=int, help="updates")
    length.add_argument("--seconds", type=float, help="processor seconds: as many updates as they last for")
    args = parser.parse_args()
    torch.set_num_threads(1)

    def fresh():
        return model.Transformer.of(load_file(args.weights), args.heads, model.as_is)

    net = fresh()
    tokens = net.wpe.num_embeddings
    data, report = records(args.records, tokens), records(args.report, tokens)
    steps = args.steps
    if steps is None:
        tried = 20
        train(net, data, args.batch, 2, args.rate, args.seed, args.muon, args.cosine)
        start = time.process_time()
        train(net, data, args.batch, tried, args.rate, args.seed, args.muon, args.cosine)
        steps = max(1, int(args.seconds * tried / (time.process_time() - start)))
        net = fresh()
    start = time.process_time()
    train(net, data, args.batch, steps, args.rate, args.seed, args.muon, args.cosine)
    seconds = time.process_time() - start
    rounded = model.Transformer.of(net.state_dict(), args.heads)
    best = min(bits(net, report), bits(rounded, report))
    print(json.dumps({"steps": steps, "seconds": seconds, "bits": best}), flush=True)


if __name__ == "__main__":
    main()
