"""Runs a model that `gotong weights --format onnx` wrote, in onnxruntime on one thread.

Reads samples one after another, without labels, and writes the logits of all of them, f32 little endian.
"""

import argparse

import numpy
import onnxruntime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--samples", required=True, help="u8 [samples, inputs]")
    parser.add_argument("--out", required=True, help="f32 [samples, values], of which the shape is told")
    args = parser.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    (given,) = session.get_outputs()
    assert (taken.name, taken.type, given.name) == ("sample", "tensor(uint8)", "logits"), (taken, given)
    samples = numpy.fromfile(args.samples, dtype=numpy.uint8).reshape(-1, taken.shape[1])
    (logits,) = session.run(["logits"], {"sample": samples})
    assert list(logits.shape[1:]) == given.shape[1:], (logits.shape, given.shape)
    logits.astype("<f4").tofile(args.out)


if __name__ == "__main__":
    main()
