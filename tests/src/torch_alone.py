"""One PyTorch process that trains a language model alone, with a good recipe: what a network of contributors has to beat.

AdamW, or Muon for the weights between hidden layers; a warm-up over a twentieth of the training, then a learning rate that falls to
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

# The part of a training in which the learning rate rises.
WARM_UP = 0.05


def records(path, tokens):
    with open(path, "rb") as file:
        bytes = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)
    return bytes.view(-1, tokens + 1).long()


def train(net, data, batch, rate, seed, muon, cosine, progress):
    """Makes updates, each with other records as long as there are any, until `progress`, given how many there were, is 1."""
    random = torch.Generator().manual_seed(seed)
    optimizers = optimizers_of(net, muon)
    step, order = 0, []
    while (done := progress(step)) < 1:
        if len(order) < batch:
            order = torch.randperm(len(data), generator=random).tolist()
        chosen, order = order[:batch], order[batch:]
        update(optimizers, net, net.bits(data[chosen]), rate * part_of_rate(done, cosine))
        step += 1
    return step


def part_of_rate(done, cosine):
    """How much of the highest learning rate there is when this part of the training is done."""
    if done < WARM_UP:
        return done / WARM_UP
    left = (1 - done) / (1 - WARM_UP)
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
    length.add_argument("--seconds", type=float, help="processor seconds")
    args = parser.parse_args()
    torch.set_num_threads(1)

    net = model.Transformer.of(load_file(args.weights), args.heads, model.as_is)
    tokens = net.wpe.num_embeddings
    data, report = records(args.records, tokens), records(args.report, tokens)
    start = time.process_time()

    def progress(step):
        return step / args.steps if args.steps else (time.process_time() - start) / args.seconds

    steps = train(net, data, args.batch, args.rate, args.seed, args.muon, args.cosine, progress)
    seconds = time.process_time() - start
    rounded = model.Transformer.of(net.state_dict(), args.heads)
    best = min(bits(net, report), bits(rounded, report))
    print(json.dumps({"steps": steps, "seconds": seconds, "bits": best}), flush=True)


if __name__ == "__main__":
    main()
