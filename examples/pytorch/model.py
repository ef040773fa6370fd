"""Gotong's transformer in PyTorch, in real units, with the exact machine's rounding in view.

Its state dict has the names that `gotong weights` writes and `gotong submit --weights` reads. Logits are
in log2 units. Widths, units and rounding are those of docs/machine.md.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

# Bits after the point in the values that flow between the layers.
NORMED, ATTENDED, MIXED, HIDDEN, SQUARED, STREAM, LOGIT = 5, 4, 5, 5, 3, 10, 6
# The same for a weight as the layers multiply with it. A weight as it is stored has 16.
VIEW = 8
# The largest weight, and the largest bias.
MOST_WEIGHT, MOST_BIAS = 127 / 256, 32512 / 8192
NARROW, WIDE = 127, 32767


def rounded(x, bits, most=NARROW):
    """`x` in steps of 2^-bits, at most `most` of them; gradients pass straight through the rounding
    (Bengio, Leonard, Courville, arXiv:1308.3432)."""
    steps = 2.0**bits
    x = x.clamp(-most / steps, most / steps)
    return x + (torch.floor(x * steps + 0.5) / steps - x).detach()


def as_is(x, bits, most=NARROW):
    """Takes the place of `rounded` in a plain float model of the same shape."""
    return x


def bits(logits, records, reduction="mean"):
    """Loss in bits for the `logits` of `records[:, :-1]`: each byte except the first is the label of the one before it."""
    natural = (logits * math.log(2)).flatten(0, 1)
    return F.cross_entropy(natural, records[:, 1:].flatten(), reduction=reduction) / math.log(2)


class Layer(nn.Module):
    def __init__(self, width, heads, hidden, rounded):
        super().__init__()
        self.heads, self.rounded = heads, rounded
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"up": nn.Linear(width, hidden), "down": nn.Linear(hidden, width)})

    def linear(self, layer, x, bits, most=NARROW):
        return self.rounded(F.linear(x, self.rounded(layer.weight, VIEW), layer.bias), bits, most)

    def forward(self, h):
        samples, tokens, width = h.shape
        x = self.rounded(F.rms_norm(h, (width,)), NORMED)
        qkv = self.linear(self.attn["qkv"], x, ATTENDED)
        q, k, v = qkv.view(samples, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = self.rounded(mixed.transpose(1, 2).reshape(h.shape), MIXED)
        h = self.rounded(h + self.linear(self.attn["proj"], x, STREAM, WIDE), STREAM, WIDE)
        x = self.rounded(F.rms_norm(h, (width,)), NORMED)
        x = self.rounded(self.linear(self.mlp["up"], x, HIDDEN).relu().square(), SQUARED)
        return self.rounded(h + self.linear(self.mlp["down"], x, STREAM, WIDE), STREAM, WIDE)


class Transformer(nn.Module):
    def __init__(self, vocab, tokens, width, heads, hidden, layers, tied=False, rounded=rounded):
        super().__init__()
        self.rounded = rounded
        self.wte, self.wpe = nn.Embedding(vocab, width), nn.Embedding(tokens, width)
        self.layers = nn.ModuleList(Layer(width, heads, hidden, rounded) for _ in range(layers))
        self.head = None if tied else nn.Linear(width, vocab)

    @classmethod
    def of(cls, state, heads, rounded=rounded):
        """The model with this state dict. Only the number of heads cannot be told from it."""
        (vocab, width), (tokens, _) = state["wte.weight"].shape, state["wpe.weight"].shape
        hidden = state["layers.0.mlp.up.weight"].shape[0]
        layers = sum(name.endswith("mlp.up.weight") for name in state)
        model = cls(vocab, tokens, width, heads, hidden, layers, "head.weight" not in state, rounded)
        model.load_state_dict(state)
        return model

    def forward(self, tokens):
        """Logits [samples, tokens, vocab] of `tokens` [samples, tokens]."""
        h = self.rounded(self.wte(tokens) + self.wpe.weight[: tokens.shape[1]], STREAM, WIDE)
        for layer in self.layers:
            h = layer(h)
        x = self.rounded(F.rms_norm(h, h.shape[-1:]), NORMED)
        head, bias = (self.head.weight, self.head.bias) if self.head else (self.wte.weight, None)
        return self.rounded(F.linear(x, self.rounded(head, VIEW), bias), LOGIT, WIDE)

    def bits(self, records, reduction="mean"):
        """Loss in bits of `records` [samples, tokens + 1]."""
        return bits(self(records[:, :-1]), records, reduction)

    @torch.no_grad()
    def keep_in_bounds(self):
        """Limits the weights to what the machine can represent; called after every step."""
        for name, parameter in self.named_parameters():
            most = MOST_BIAS if name.endswith("bias") else MOST_WEIGHT
            parameter.clamp_(-most, most)
