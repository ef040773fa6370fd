"""PyTorch beside the exact machine: one model and its records, evaluated or trained as often as asked.

Reads commands from stdin, one a line, and answers each with a line of JSON:

    evaluate BATCH      bits of every record, and the seconds that it took
    train BATCH STEPS   mean bits of the last batch, and the seconds of all steps
"""

import argparse
import json
import sys
import time

import torch
from safetensors.torch import load_file

import model
from torch_optimizers import optimizers_of, update


class Peer:
    def __init__(self, args):
        torch.set_num_threads(args.threads)
        rounded = model.rounded if args.rounded else model.as_is
        self.model = model.Transformer.of(load_file(args.weights), args.heads, rounded)
        tokens = self.model.wpe.num_embeddings
        with open(args.records, "rb") as file:
            bytes = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)
        self.records = bytes.view(-1, tokens + 1).long()
        self.optimizers = optimizers_of(self.model, muon=True)

    @torch.inference_mode()
    def evaluate(self, batch):
        losses = [self.model.bits(records, "none") for records in self.records.split(batch)]
        return torch.cat(losses).view(len(self.records), -1).sum(1).tolist()

    def train(self, batch, steps):
        for step in range(steps):
            start = step * batch % (len(self.records) - batch + 1)
            loss = self.model.bits(self.records[start : start + batch])
            update(self.optimizers, self.model, loss, rate=0.004)
        return loss.item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, help="safetensors")
    parser.add_argument("--records", required=True, help="a file of records: tokens and a label each")
    parser.add_argument("--heads", required=True, type=int)
    parser.add_argument("--threads", required=True, type=int)
    parser.add_argument("--rounded", action="store_true", help="with the machine's rounding; else in plain f32")
    peer = Peer(parser.parse_args())
    for line in sys.stdin:
        name, *numbers = line.split()
        command = {"evaluate": peer.evaluate, "train": peer.train}[name]
        start = time.perf_counter()
        bits = command(*map(int, numbers))
        print(json.dumps({"seconds": time.perf_counter() - start, "bits": bits}), flush=True)


if __name__ == "__main__":
    main()
