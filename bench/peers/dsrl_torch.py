"""The updates of rl/dsrl.ts and rl/dsrl_na.ts in PyTorch, eager, with its fused Adam.

Usage: dsrl_torch.py THREADS tabletop|published|na. Prints "ready"; then, for each line with a number n on standard
input, runs n critic updates and prints their mean time in milliseconds.
"""

import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional

VARIANT = sys.argv[2]
BATCH, LAYERS, TAU, STATE, NOISE = 256, 3, 0.005, 31, 7
FEATURES, HORIZON, ACTION, EXECUTE, EULER = 20, 16, 7, 8, 10
WIDTH, CRITICS, MAGNITUDE, RATE = 256, 2, 1.5, 1e-3
PUBLISHED = VARIANT == "published"
if PUBLISHED:
    STATE, NOISE, WIDTH, CRITICS, MAGNITUDE, RATE = 58, 32, 128, 10, 1.0, 3e-4
ACTIVATION = nn.ReLU if PUBLISHED else nn.Tanh


class Ensemble(nn.Module):
    """Members in one batched product, as the scan of JAX and ours have them."""

    def __init__(self, width):
        super().__init__()
        sizes = [width] + [WIDTH] * LAYERS + [1]
        self.kernels = nn.ParameterList(
            [torch.randn(CRITICS, i, o) / math.sqrt(i) for i, o in zip(sizes[:-1], sizes[1:])]
        )
        self.biases = nn.ParameterList([torch.zeros(CRITICS, 1, o) for o in sizes[1:]])
        self.gains = nn.ParameterList([torch.ones(CRITICS, 1, WIDTH) for _ in range(LAYERS)])
        self.shifts = nn.ParameterList([torch.zeros(CRITICS, 1, WIDTH) for _ in range(LAYERS)])

    def forward(self, *inputs):
        x = torch.cat(inputs, 1).expand(CRITICS, -1, -1)
        for i in range(LAYERS):
            x = torch.baddbmm(self.biases[i], x, self.kernels[i])
            x = functional.layer_norm(x, (WIDTH,), eps=1e-6) * self.gains[i] + self.shifts[i]
            x = x.relu() if PUBLISHED else x.tanh()
        return torch.baddbmm(self.biases[-1], x, self.kernels[-1])[..., 0]


def actor_network():
    layers, width = [], STATE
    for _ in range(LAYERS):
        layers += [nn.Linear(width, WIDTH)] + ([] if PUBLISHED else [nn.LayerNorm(WIDTH, eps=1e-6)]) + [ACTIVATION()]
        width = WIDTH
    return nn.Sequential(*layers, nn.Linear(width, 2 * NOISE))


class Base(nn.Module):
    """The tabletop's flow policy: w is one row repeated over the chunk."""

    def __init__(self):
        super().__init__()
        chunk, width, layers = HORIZON * ACTION, FEATURES + HORIZON * ACTION + 32, []
        for _ in range(3):
            layers += [nn.Linear(width, 256), nn.SiLU()]
            width = 256
        self.velocity = nn.Sequential(*layers, nn.Linear(width, chunk))
        self.requires_grad_(False)

    def forward(self, features, w):
        x = w.repeat(1, HORIZON)
        periods = 2 * math.pi / torch.logspace(math.log10(4e-3), math.log10(4), 16)
        for i in range(EULER):
            phase = (1 - i / EULER) * periods
            time_features = torch.cat([phase.sin(), phase.cos()]).expand(len(x), -1)
            x = x - self.velocity(torch.cat([features, x, time_features], 1)) / EULER
        return x[:, : EXECUTE * ACTION].clamp(-1, 1)


def reduce(values):
    return values.mean(0) if PUBLISHED else values.min(0).values


class Learner:
    def __init__(self):
        wide = STATE + (EXECUTE * ACTION if VARIANT == "na" else NOISE)
        self.critic, self.target = Ensemble(wide), Ensemble(wide)
        self.target.requires_grad_(False)
        self.noise_critic = Ensemble(STATE + NOISE)
        self.actor, self.base = actor_network(), Base()
        self.log_alpha = torch.zeros((), requires_grad=True)
        adam = lambda parameters: torch.optim.Adam(parameters, lr=RATE, fused=True)
        self.optimizers = {
            "critic": adam(self.critic.parameters()),
            "noise_critic": adam(self.noise_critic.parameters()),
            "actor": adam(self.actor.parameters()),
            "alpha": adam([self.log_alpha]),
        }

    def act(self, state):
        mean, log_deviation = self.actor(state).chunk(2, 1)
        log_deviation = log_deviation.clamp(-20, 2)
        noise = torch.randn_like(mean)
        u = mean + log_deviation.exp() * noise
        log_normal = -0.5 * noise.square() - log_deviation - 0.5 * math.log(2 * math.pi)
        log_slope = 2 * (math.log(2) - u - functional.softplus(-2 * u)) + math.log(MAGNITUDE)
        return MAGNITUDE * u.tanh(), (log_normal - log_slope).sum(1)

    def step(self, name, loss):
        self.optimizers[name].zero_grad()
        loss.backward()
        self.optimizers[name].step()

    def polyak(self):
        with torch.no_grad():
            torch._foreach_lerp_(list(self.target.parameters()), list(self.critic.parameters()), TAU)

    def sac(self, b):
        with torch.no_grad():
            w, _ = self.act(b["next_state"])
            y = b["reward"] + b["discount"] * (1 - b["terminated"]) * reduce(self.target(b["next_state"], w))
        self.step("critic", (self.critic(b["state"], b["w"]) - y).square().mean())
        self.polyak()
        self.critic.requires_grad_(False)
        w, log_density = self.act(b["state"])
        alpha = self.log_alpha.detach().exp()
        self.step("actor", (alpha * log_density - reduce(self.critic(b["state"], w))).mean())
        self.critic.requires_grad_(True)
        self.step("alpha", self.log_alpha.exp() * (-log_density.detach().mean() + NOISE / 2))

    def na(self, b):
        alpha = self.log_alpha.detach().exp()
        with torch.no_grad():
            w, log_density = self.act(b["next_state"])
            chunk = self.base(b["next_features"], w)
            soft = reduce(self.target(b["next_state"], chunk)) - alpha * log_density
            y = b["reward"] + b["discount"] * (1 - b["terminated"]) * soft
        self.step("critic", 0.5 * (self.critic(b["state"], b["chunk"]) - y).square().mean(1).sum())
        self.noise_critic.requires_grad_(False)
        w, log_density = self.act(b["state"])
        value = reduce(self.noise_critic(b["state"], w / MAGNITUDE))
        self.step("actor", (alpha * log_density - value).mean())
        self.noise_critic.requires_grad_(True)
        self.step("alpha", self.log_alpha * (-log_density.detach().mean() + NOISE / 2))
        self.polyak()

    def distil(self, b):
        w = torch.randn(BATCH, NOISE)
        with torch.no_grad():
            teacher = self.critic(b["state"], self.base(b["features"], w))
        error = (self.noise_critic(b["state"], w / MAGNITUDE) - teacher).square()
        self.step("noise_critic", 0.5 * error.mean(1).sum())


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(0)
    learner = Learner()
    normal = lambda width: torch.randn(BATCH, width)
    batch = {
        "state": normal(STATE), "next_state": normal(STATE), "w": normal(NOISE), "features": normal(FEATURES),
        "next_features": normal(FEATURES), "chunk": normal(EXECUTE * ACTION), "reward": torch.randn(BATCH),
        "terminated": torch.zeros(BATCH), "discount": torch.full((BATCH,), 0.92),
    }

    def updates(n):
        for i in range(n):
            if VARIANT != "na":
                learner.sac(batch)
                continue
            learner.na(batch)
            if i % 2:
                learner.distil(batch)

    updates(10)
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        updates(int(line))
        print((time.perf_counter() - start) / int(line) * 1e3, flush=True)


main()
