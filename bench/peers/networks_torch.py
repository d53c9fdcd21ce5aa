"""The workloads of ../networks.ts in PyTorch, eager, with its fused optimizers.

Usage: networks_torch.py THREADS WORKLOAD [cpu|cuda]. Products and convolutions are of float32 on a GPU, too, not of TF32;
the pictures lie there already. Prints "ready"; then, for each line with a number n on standard input, runs it n times and
prints the mean time in milliseconds.
"""

import sys
import time

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, into, filters, stride):
        super().__init__()
        self.stride = stride
        self.first = nn.Conv2d(into, filters, 3, stride, 1 if stride == 1 else 0, bias=False)
        self.second = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList(nn.GroupNorm(4, filters, 1e-5) for _ in range(3 if stride > 1 else 2))
        self.shortcut = nn.Conv2d(into, filters, 1, stride, bias=False) if stride > 1 else None

    def forward(self, x):
        padded = functional.pad(x, (0, 1, 0, 1)) if self.stride > 1 else x
        y = torch.relu(self.norms[0](self.first(padded)))
        y = self.norms[1](self.second(y))
        if self.shortcut is not None:
            x = self.norms[2](self.shortcut(x))
        return torch.relu(x + y)


class Trunk(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.norm = nn.GroupNorm(4, 64, 1e-5)
        self.blocks = nn.Sequential(Block(64, 64, 1), Block(64, 128, 2), Block(128, 256, 2), Block(256, 512, 2))

    def forward(self, pictures):
        x = torch.relu(self.norm(self.start(pictures / 255)))
        x = functional.max_pool2d(functional.pad(x, (0, 1, 0, 1), value=-torch.inf), 3, 2)
        return self.blocks(x)


class TransformerBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.mix = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.modulation = nn.Linear(width, 6 * width)

    def forward(self, x, signal):
        batch, tokens, width = x.shape
        parts = [m[:, None] for m in self.modulation(signal).chunk(6, 1)]
        seen = functional.layer_norm(x, (width,), eps=1e-6) * (1 + parts[1]) + parts[0]
        q, k, v = self.qkv(seen).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, width)
        x = x + parts[2] * self.mix(mixed)
        seen = functional.layer_norm(x, (width,), eps=1e-6) * (1 + parts[4]) + parts[3]
        return x + parts[5] * self.down(functional.gelu(self.up(seen), approximate="tanh"))


class Flow(nn.Module):
    def __init__(self, features=20, horizon=16, action=7, width=128, heads=4, blocks=4):
        super().__init__()
        self.embed, self.time = nn.Linear(action, width), nn.Linear(32, width)
        self.observation = nn.Linear(features, width)
        self.position = nn.Parameter(torch.randn(horizon, width))
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(blocks))
        self.last, self.out = nn.Linear(width, 2 * width), nn.Linear(width, action)

    def forward(self, features, chunk, time):
        phase = time[:, None] * torch.linspace(1.5, 150, 16)
        condition = self.time(torch.cat([phase.sin(), phase.cos()], 1)) + self.observation(features)
        signal = functional.silu(condition)
        x = self.embed(chunk) + self.position
        for block in self.blocks:
            x = block(x, signal)
        shift, scale = self.last(signal).chunk(2, 1)
        x = functional.layer_norm(x, (x.shape[-1],), eps=1e-6) * (1 + scale[:, None]) + shift[:, None]
        return self.out(x)


def sgd(network, pictures):
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-9, fused=True)

    def step():
        optimizer.zero_grad()
        network(pictures).sum().backward()
        optimizer.step()

    return step


def trunk_forward():
    network, pictures = Trunk(), torch.randint(0, 256, (8, 3, 128, 128)).float()

    def run():
        with torch.no_grad():
            network(pictures)

    return run


class Fractions(nn.Module):
    """Of pictures with numbers 0 ... 255."""

    def forward(self, pictures):
        return pictures / 255


def encoder():
    layers, depth = [Fractions()], 3
    for stride in (2, 1, 1, 1):
        layers += [nn.Conv2d(depth, 32, 3, stride), nn.ReLU()]
        depth = 32
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(20_000, 50), nn.LayerNorm(50, eps=1e-6), nn.Tanh())


def transformer_step():
    network = Flow()
    averaged = [p.detach().clone() for p in network.parameters()]
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=1e-4, fused=True)
    features, noise, actions = torch.randn(256, 20), torch.randn(256, 16, 7), torch.randn(256, 16, 7)
    time, weight = torch.rand(256), torch.ones(256, 16)

    def step():
        optimizer.zero_grad()
        t = time[:, None, None]
        error = ((network(features, t * noise + (1 - t) * actions, time) - (noise - actions)) ** 2).mean(2)
        ((weight * error).sum() / weight.sum()).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averaged, list(network.parameters()), 0.001)

    return step


WORKLOADS = {
    "trunk-forward": trunk_forward,
    "trunk-step": lambda: sgd(Trunk(), torch.randint(0, 256, (8, 3, 128, 128)).float()),
    "encoder-step": lambda: sgd(encoder(), torch.randint(0, 256, (256, 3, 64, 64)).float()),
    "transformer-step": transformer_step,
}


def main():
    torch.set_num_threads(int(sys.argv[1]))
    device = sys.argv[3] if len(sys.argv) > 3 else "cpu"
    torch.set_default_device(device)
    torch.backends.cudnn.allow_tf32 = False
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    torch.manual_seed(0)
    run = WORKLOADS[sys.argv[2]]()
    run()
    print("ready", flush=True)
    for line in sys.stdin:
        wait()
        start = time.perf_counter()
        for _ in range(int(line)):
            run()
        wait()
        print((time.perf_counter() - start) / int(line) * 1e3, flush=True)


main()
