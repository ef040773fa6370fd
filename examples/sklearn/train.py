"""Trains a task's MLP with scikit-learn, on its handwritten digits (8 x 8 pixels).

    gotong weights --task 0 --out base.safetensors
    python train.py --base base.safetensors --out model.safetensors
    gotong submit --task 0 --base base.safetensors --weights model.safetensors

Prints one line of JSON: accuracy and loss on the digits that were not trained on.
"""

import argparse
import json
import math

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

# The largest weight, and the largest bias of the first layer and of later ones.
MOST_WEIGHT, MOST_FIRST_BIAS, MOST_BIAS = 127 / 256, 32512 / 8192, 32512 / 4096
# The machine's logits are in log2 units, and scikit-learn's in natural ones: 2^(z log2 e) is e^z.
LOG2_E = math.log2(math.e)


def layers(classifier):
    """The weights [in, out] and biases of each layer, and the factor that the machine multiplies them by."""
    last = len(classifier.coefs_) - 1
    for layer, (weight, bias) in enumerate(zip(classifier.coefs_, classifier.intercepts_)):
        yield layer, weight, bias, LOG2_E if layer == last else 1.0


def to_tensors(classifier):
    """Writes the file that `gotong submit` reads."""
    tensors = {}
    for layer, weight, bias, factor in layers(classifier):
        tensors[f"layers.{layer}.weight"] = np.ascontiguousarray(weight.T * factor)
        tensors[f"layers.{layer}.bias"] = bias * factor
    return tensors


def start_from(classifier, tensors):
    """Sets a classifier's weights to those that `gotong weights` wrote."""
    for layer, weight, bias, factor in layers(classifier):
        weight[:] = tensors[f"layers.{layer}.weight"].T / factor
        bias[:] = tensors[f"layers.{layer}.bias"] / factor


def keep_in_bounds(classifier):
    """Limits the weights to what the machine can represent."""
    for layer, weight, bias, factor in layers(classifier):
        most_bias = MOST_FIRST_BIAS if layer == 0 else MOST_BIAS
        np.clip(weight, -MOST_WEIGHT / factor, MOST_WEIGHT / factor, out=weight)
        np.clip(bias, -most_bias / factor, most_bias / factor, out=bias)


def digits():
    """Images as bytes [samples, 64], and their labels 0 to 9: one part to train on, and one to test with."""
    data = load_digits()
    images = np.minimum(data.data * 16, 255).astype(np.uint8)
    return train_test_split(images, data.target, test_size=0.25, random_state=0, stratify=data.target)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="the safetensors to write")
    parser.add_argument("--base", help="what to start from, by `gotong weights` [default: random weights]")
    parser.add_argument("--records", help="a file for the digits not trained on: 64 bytes and a label each")
    parser.add_argument("--hidden", type=int, nargs="*", default=[64], help="widths of the hidden layers")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--learning-rate", type=float, default=0.003)
    args = parser.parse_args()

    images, unseen, labels, unseen_labels = digits()
    # What the machine makes of a byte.
    inputs, unseen_inputs = (images >> 1) / 128, (unseen >> 1) / 128
    base = load_file(args.base) if args.base else None
    if base:
        args.hidden = [len(base[f"layers.{layer}.bias"]) for layer in range(len(base) // 2 - 1)]
    classifier = MLPClassifier(args.hidden, activation="relu", learning_rate_init=args.learning_rate, random_state=0)
    # This creates the weights, with random values.
    classifier.partial_fit(inputs[:1], labels[:1], classes=range(10))
    if base:
        start_from(classifier, base)
    for _ in range(args.epochs):
        classifier.partial_fit(inputs, labels)
        keep_in_bounds(classifier)

    save_file(to_tensors(classifier), args.out)
    if args.records:
        np.column_stack([unseen, unseen_labels]).astype(np.uint8).tofile(args.records)
    bits = log_loss(unseen_labels, classifier.predict_proba(unseen_inputs)) * LOG2_E
    print(json.dumps({"accuracy": classifier.score(unseen_inputs, unseen_labels), "bits": bits}))


if __name__ == "__main__":
    main()
