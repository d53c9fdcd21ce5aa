"""The update of ../sac_update.ts in PyTorch, eager, with its fused AdamW for the networks; the temperature steps by hand.

Usage: sac_torch.py THREADS [cpu|cuda]. Prints "ready"; then, for each line with a number n on standard input, runs n
updates and prints their mean time in milliseconds.
"""

import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional

STATE, ACTION, WIDTH, LAYERS, BATCH = 265, 7, 256, 3, 256
XI, GAMMA, TAU, RATE, CLIP = 0.5, 0.99, 0.005, 3e-4, 1.0


def network(outputs):
    layers, width = [], STATE + ACTION
    for _ in range(LAYERS):
        layers += [nn.Linear(width, WIDTH), nn.LayerNorm(WIDTH, eps=1e-6), nn.Tanh()]
        width = WIDTH
    return nn.Sequential(*layers, nn.Linear(width, outputs))


class Learner:
    def __init__(self):
        self.critics = nn.ModuleList([network(1), network(1)])
        self.targets = nn.ModuleList([network(1), network(1)])
        self.targets.load_state_dict(self.critics.state_dict())
        self.targets.requires_grad_(False)
        self.actor = network(2 * ACTION)
        self.log_alpha = torch.zeros(())
        self.critic_optimizer = torch.optim.AdamW(self.critics.parameters(), lr=RATE, fused=True)
        self.actor_optimizer = torch.optim.AdamW(self.actor.parameters(), lr=RATE, fused=True)

    def act(self, state, base):
        mean, log_deviation = self.actor(torch.cat([state, base], 1)).chunk(2, 1)
        log_deviation = log_deviation.clamp(math.log(1e-5), math.log(5))
        noise = torch.randn_like(mean)
        u = mean + log_deviation.exp() * noise
        log_normal = -0.5 * noise.square() - log_deviation - 0.5 * math.log(2 * math.pi)
        log_slope = 2 * (math.log(2) - u - functional.softplus(-2 * u))
        return (base + XI * u.tanh()).clamp(-1, 1), (log_normal - log_slope).sum(1)

    @staticmethod
    def values(critics, state, action):
        x = torch.cat([state, action], 1)
        return [critic(x).squeeze(1) for critic in critics]

    def step(self, optimizer, module, loss):
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), CLIP)
        optimizer.step()

    def update(self, b):
        alpha = self.log_alpha.exp()
        with torch.no_grad():
            action, log_density = self.act(b["next_state"], b["next_base"])
            least = torch.minimum(*self.values(self.targets, b["next_state"], action))
            y = b["reward"] + GAMMA * (1 - b["terminated"]) * (least - alpha * log_density)
        loss = sum(functional.mse_loss(q, y) for q in self.values(self.critics, b["state"], b["action"]))
        self.step(self.critic_optimizer, self.critics, loss)

        self.critics.requires_grad_(False)
        action, log_density = self.act(b["state"], b["base"])
        least = torch.minimum(*self.values(self.critics, b["state"], action))
        self.step(self.actor_optimizer, self.actor, (alpha * log_density - least).mean())
        self.critics.requires_grad_(True)

        with torch.no_grad():
            self.log_alpha -= RATE * alpha * (ACTION - log_density.mean())
            torch._foreach_lerp_(list(self.targets.parameters()), list(self.critics.parameters()), TAU)


def main():
    torch.set_num_threads(int(sys.argv[1]))
    device = sys.argv[2] if len(sys.argv) > 2 else "cpu"
    torch.set_default_device(device)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    torch.manual_seed(0)
    learner = Learner()
    batch = {
        "state": torch.randn(BATCH, STATE),
        "base": torch.randn(BATCH, ACTION).tanh(),
        "action": torch.randn(BATCH, ACTION).tanh(),
        "reward": torch.randn(BATCH),
        "terminated": torch.zeros(BATCH),
        "next_state": torch.randn(BATCH, STATE),
        "next_base": torch.randn(BATCH, ACTION).tanh(),
    }
    for _ in range(10):
        learner.update(batch)
    print("ready", flush=True)
    for line in sys.stdin:
        wait()
        start = time.perf_counter()
        for _ in range(int(line)):
            learner.update(batch)
        wait()
        print((time.perf_counter() - start) / int(line) * 1e3, flush=True)


main()
