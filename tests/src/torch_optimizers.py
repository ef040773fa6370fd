"""The optimizers of a language model: AdamW, or Muon for the weights between hidden layers and AdamW for the rest."""

import torch


def optimizers_of(net, muon):
    hidden = [weight for name, weight in net.named_parameters() if muon and name.startswith("layers.") and weight.dim() == 2]
    others = [weight for weight in net.parameters() if not any(weight is other for other in hidden)]
    optimizers = [torch.optim.AdamW(others, betas=(0.9, 0.99), weight_decay=0.0)]
    if hidden:
        # The same as what contributors use, but PyTorch iterates in bfloat16.
        muon = torch.optim.Muon(hidden, momentum=0.9, weight_decay=0.0, ns_steps=3, adjust_lr_fn="match_rms_adamw")
        optimizers.append(muon)
    return optimizers


def update(optimizers, net, loss, rate):
    """One update of `net`."""
    net.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    net.keep_in_bounds()
