"""The encoder of ../encoder.ts in PyTorch, eager: an SGD step on the sum of its outputs, or with "forward" the outputs alone.

Usage: encoder_torch.py THREADS [forward]. Prints "ready"; then, for each line with a number n on standard input, runs it
n times and prints the mean time in milliseconds.
"""

import sys
import time

import torch
from torch import nn

BATCH, EDGE = 256, 64


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(0)
    layers, depth = [], 3
    for stride in (2, 1, 1, 1):
        layers += [nn.Conv2d(depth, 32, 3, stride), nn.ReLU()]
        depth = 32
    encoder = nn.Sequential(*layers, nn.Flatten(), nn.Linear(20_000, 50), nn.LayerNorm(50, eps=1e-6), nn.Tanh())
    optimizer = torch.optim.SGD(encoder.parameters(), lr=1e-6)
    pictures = torch.randint(0, 256, (BATCH, 3, EDGE, EDGE)).float()

    def forward():
        with torch.no_grad():
            encoder(pictures / 255)

    def step():
        optimizer.zero_grad()
        encoder(pictures / 255).sum().backward()
        optimizer.step()

    run = forward if "forward" in sys.argv else step
    run()
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            run()
        print((time.perf_counter() - start) / int(line) * 1e3, flush=True)


main()
