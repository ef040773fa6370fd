"""Writes a model as a trainer may: the state dict of a compiled and parallel one, in bfloat16, in two files with an index."""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from model import Transformer


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", required=True, help="safetensors")
    parser.add_argument("--heads", required=True, type=int)
    parser.add_argument("--folder", required=True, type=Path, help="where the files go")
    args = parser.parse_args()

    model = torch.compile(torch.nn.DataParallel(Transformer.of(load_file(args.weights), args.heads)))
    state = {name: tensor.to(torch.bfloat16) for name, tensor in model.state_dict().items()}
    names = list(state)
    shards = {f"model-{number + 1:05}-of-00002.safetensors": names[number::2] for number in range(2)}
    for file, own in shards.items():
        save_file({name: state[name] for name in own}, args.folder / file)
    index = {"weight_map": {name: file for file, own in shards.items() for name in own}}
    (args.folder / "model.safetensors.index.json").write_text(json.dumps(index))


if __name__ == "__main__":
    main()
