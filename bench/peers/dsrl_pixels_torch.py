"""The update of ../dsrl_pixels.ts in PyTorch, eager, with its fused Adam: DSRL-SAC from pictures, random crop, no jitter.

Usage: dsrl_pixels_torch.py THREADS. Prints "ready"; then, for each line with a number n on standard input, runs n updates
and prints their mean time in milliseconds.
"""

import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional

BATCH, EDGE, STATE, NOISE, WIDTH, LAYERS, CRITICS, LATENT = 256, 64, 8, 32, 128, 3, 10, 50
TAU, ACTOR_RATE, CRITIC_RATE, TARGET_ENTROPY = 0.005, 1e-4, 3e-4, -NOISE / 2


def encoder():
    layers, depth = [], 3
    for stride in (2, 1, 1, 1):
        layers += [nn.Conv2d(depth, 32, 3, stride), nn.ReLU()]
        depth = 32
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(20_000, LATENT), nn.LayerNorm(LATENT, eps=1e-6), nn.Tanh())


class Critics(nn.Module):
    """An encoder and an ensemble as one stack."""

    def __init__(self):
        super().__init__()
        self.encoder = encoder()
        widths = [LATENT + STATE + NOISE, *[WIDTH] * LAYERS, 1]
        self.kernels = nn.ParameterList(
            torch.randn(CRITICS, a, b) / math.sqrt(a) for a, b in zip(widths[:-1], widths[1:])
        )
        self.biases = nn.ParameterList(torch.zeros(CRITICS, 1, b) for b in widths[1:])
        self.gains = nn.ParameterList(torch.ones(CRITICS, 1, WIDTH) for _ in range(LAYERS))
        self.shifts = nn.ParameterList(torch.zeros(CRITICS, 1, WIDTH) for _ in range(LAYERS))

    def forward(self, pixels, state, noise):
        x = torch.cat([self.encoder(pixels / 255), state, noise], 1).expand(CRITICS, -1, -1)
        for i in range(LAYERS):
            x = torch.baddbmm(self.biases[i], x, self.kernels[i])
            x = functional.layer_norm(x, (WIDTH,), eps=1e-6) * self.gains[i] + self.shifts[i]
            x = x.relu()
        return torch.baddbmm(self.biases[-1], x, self.kernels[-1]).squeeze(2)


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = encoder()
        layers, width = [], LATENT + STATE
        for _ in range(LAYERS):
            layers += [nn.Linear(width, WIDTH), nn.ReLU()]
            width = WIDTH
        self.head = nn.Sequential(*layers, nn.Linear(width, 2 * NOISE))

    def forward(self, pixels, state):
        mean, log_deviation = self.head(torch.cat([self.encoder(pixels / 255), state], 1)).chunk(2, 1)
        log_deviation = log_deviation.clamp(-20, 2)
        draw = torch.randn_like(mean)
        u = mean + log_deviation.exp() * draw
        log_normal = -0.5 * draw.square() - log_deviation - 0.5 * math.log(2 * math.pi)
        log_slope = 2 * (math.log(2) - u - functional.softplus(-2 * u))
        return u.tanh(), (log_normal - log_slope).sum(1)


def crop(pixels):
    padded = functional.pad(pixels, (4, 4, 4, 4), mode="replicate")
    offsets = torch.randint(0, 9, (BATCH, 2))
    rows = (offsets[:, :1] + torch.arange(EDGE))[:, None, :, None]
    columns = (offsets[:, 1:] + torch.arange(EDGE))[:, None, None, :]
    return padded[torch.arange(BATCH)[:, None, None, None], torch.arange(3)[None, :, None, None], rows, columns]


class Learner:
    def __init__(self):
        self.actor, self.critics, self.targets = Actor(), Critics(), Critics()
        self.targets.load_state_dict(self.critics.state_dict())
        self.targets.requires_grad_(False)
        self.log_alpha = torch.zeros((), requires_grad=True)
        self.optimizers = [
            torch.optim.Adam(self.critics.parameters(), lr=CRITIC_RATE, fused=True),
            torch.optim.Adam(self.actor.parameters(), lr=ACTOR_RATE, fused=True),
            torch.optim.Adam([self.log_alpha], lr=CRITIC_RATE, fused=True),
        ]

    def step(self, i, loss):
        self.optimizers[i].zero_grad()
        loss.backward()
        self.optimizers[i].step()

    def update(self, b):
        pixels, next_pixels = crop(b["pixels"]), crop(b["next_pixels"])
        with torch.no_grad():
            noise, _ = self.actor(next_pixels, b["next_state"])
            value = self.targets(next_pixels, b["next_state"], noise).mean(0)
            y = b["reward"] + b["discount"] * (1 - b["terminated"]) * value
        self.step(0, (self.critics(pixels, b["state"], b["w"]) - y).square().mean())
        with torch.no_grad():
            torch._foreach_lerp_(list(self.targets.parameters()), list(self.critics.parameters()), TAU)
        self.critics.requires_grad_(False)
        noise, log_density = self.actor(pixels, b["state"])
        value = self.critics(pixels, b["state"], noise).mean(0)
        self.step(1, (self.log_alpha.detach().exp() * log_density - value).mean())
        self.critics.requires_grad_(True)
        self.step(2, self.log_alpha.exp() * (-log_density.detach().mean() - TARGET_ENTROPY))


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(0)
    learner = Learner()
    batch = {
        "pixels": torch.randint(0, 256, (BATCH, 3, EDGE, EDGE)).float(),
        "next_pixels": torch.randint(0, 256, (BATCH, 3, EDGE, EDGE)).float(),
        "state": torch.randn(BATCH, STATE),
        "next_state": torch.randn(BATCH, STATE),
        "w": torch.randn(BATCH, NOISE).tanh(),
        "reward": -torch.ones(BATCH),
        "terminated": torch.zeros(BATCH),
        "discount": torch.full((BATCH,), 0.98),
    }
    learner.update(batch)
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            learner.update(batch)
        print((time.perf_counter() - start) / int(line) * 1e3, flush=True)


main()
