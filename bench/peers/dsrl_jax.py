"""The updates of rl/dsrl.ts and rl/dsrl_na.ts in JAX, a jitted scan.

Usage: dsrl_jax.py THREADS tabletop|published|na, where THREADS can only be the number of cores. Prints "ready"; then,
for each line with a number n on standard input, runs n critic updates and prints their mean time in milliseconds.
"""

import functools
import math
import os
import sys
import time

os.environ["JAX_PLATFORMS"] = "cpu"
import jax
from jax import numpy as jnp

VARIANT = sys.argv[2]
BATCH, LAYERS, TAU, STATE, NOISE = 256, 3, 0.005, 31, 7
FEATURES, HORIZON, ACTION, EXECUTE, EULER = 20, 16, 7, 8, 10
WIDTH, CRITICS, MAGNITUDE, RATE = 256, 2, 1.5, 1e-3
PUBLISHED = VARIANT == "published"
if PUBLISHED:
    STATE, NOISE, WIDTH, CRITICS, MAGNITUDE, RATE = 58, 32, 128, 10, 1.0, 3e-4
activation = jax.nn.relu if PUBLISHED else jnp.tanh
pair = lambda *x: jnp.concatenate(x, 1)


def initialize(key, width, outputs, hidden=WIDTH, norm=True):
    layers = []
    for i, size in enumerate([hidden] * LAYERS + [outputs]):
        key, sub = jax.random.split(key)
        layer = {"kernel": jax.random.normal(sub, (width, size)) / math.sqrt(width), "bias": jnp.zeros(size)}
        if norm and i < LAYERS:
            layer |= {"gain": jnp.ones(size), "shift": jnp.zeros(size)}
        layers.append(layer)
        width = size
    return layers


def forward(layers, x, activation=activation):
    for layer in layers[:-1]:
        x = x @ layer["kernel"] + layer["bias"]
        if "gain" in layer:
            centred = x - x.mean(1, keepdims=True)
            x = centred * jax.lax.rsqrt(jnp.square(centred).mean(1, keepdims=True) + 1e-6) * layer["gain"] + layer["shift"]
        x = activation(x)
    return x @ layers[-1]["kernel"] + layers[-1]["bias"]


def act(actor, state, key):
    mean, log_deviation = jnp.split(forward(actor, state), 2, 1)
    log_deviation = jnp.clip(log_deviation, -20, 2)
    noise = jax.random.normal(key, mean.shape)
    u = mean + jnp.exp(log_deviation) * noise
    log_normal = -0.5 * jnp.square(noise) - log_deviation - 0.5 * math.log(2 * math.pi)
    log_slope = 2 * (math.log(2) - u - jax.nn.softplus(-2 * u)) + math.log(MAGNITUDE)
    return MAGNITUDE * jnp.tanh(u), (log_normal - log_slope).sum(1)


values = lambda critics, *x: jax.vmap(lambda critic: forward(critic, pair(*x))[:, 0])(critics)
reduce = (lambda q: q.mean(0)) if PUBLISHED else (lambda q: q.min(0))
velocity = initialize(jax.random.PRNGKey(9), FEATURES + HORIZON * ACTION + 32, HORIZON * ACTION, 256, False)
periods = 2 * math.pi / jnp.logspace(math.log10(4e-3), math.log10(4), 16)


def base(features, w):
    x = jnp.tile(w, (1, HORIZON))
    for i in range(EULER):
        phase = (1 - i / EULER) * periods
        time_features = jnp.broadcast_to(jnp.concatenate([jnp.sin(phase), jnp.cos(phase)]), (len(x), 32))
        x = x - forward(velocity, pair(features, x, time_features), jax.nn.silu) / EULER
    return jnp.clip(x[:, : EXECUTE * ACTION], -1, 1)


def adam(p, gradients, moments, step):
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments[0], gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * jnp.square(g), moments[1], gradients)
    rate, root = RATE / (1 - 0.9**step), jnp.sqrt(1 - 0.999**step)
    return jax.tree.map(lambda p, m, v: p - rate * root * m / (jnp.sqrt(v) + 1e-8 * root), p, first, second), (first, second)


def descend(learner, name, gradients):
    new, moments = adam(learner[name], gradients, learner["moments"][name], learner["step"])
    return learner | {name: new, "moments": learner["moments"] | {name: moments}}


def polyak(learner):
    return learner | {"target": jax.tree.map(lambda t, p: (1 - TAU) * t + TAU * p, learner["target"], learner["critic"])}


def actor_step(learner, b, key, critic, scale):
    alpha = jnp.exp(learner["log_alpha"])

    def loss(actor):
        w, log_density = act(actor, b["state"], key)
        return (alpha * log_density - reduce(values(critic, b["state"], w / scale))).mean(), log_density.mean()

    gradients, log_density = jax.grad(loss, has_aux=True)(learner["actor"])
    learner = descend(learner, "actor", gradients)
    factor = 1.0 if VARIANT == "na" else alpha
    return descend(learner, "log_alpha", factor * (-log_density + NOISE / 2))


def sac(learner, b):
    learner = learner | {"step": learner["step"] + 1}
    key, next_key = jax.random.split(b["key"])
    w, _ = act(learner["actor"], b["next_state"], next_key)
    y = b["reward"] + b["discount"] * reduce(values(learner["target"], b["next_state"], w))
    loss = lambda critic: jnp.square(values(critic, b["state"], b["w"]) - y).mean()
    learner = polyak(descend(learner, "critic", jax.grad(loss)(learner["critic"])))
    return actor_step(learner, b, key, learner["critic"], 1.0)


def na(learner, b):
    learner = learner | {"step": learner["step"] + 1}
    key, next_key = jax.random.split(b["key"])
    w, log_density = act(learner["actor"], b["next_state"], next_key)
    soft = reduce(values(learner["target"], b["next_state"], base(b["next_features"], w)))
    y = b["reward"] + b["discount"] * (soft - jnp.exp(learner["log_alpha"]) * log_density)
    loss = lambda critic: 0.5 * jnp.square(values(critic, b["state"], b["chunk"]) - y).mean(1).sum()
    learner = descend(learner, "critic", jax.grad(loss)(learner["critic"]))
    return polyak(actor_step(learner, b, key, learner["noise_critic"], MAGNITUDE))


def distil(learner, b):
    w = jax.random.normal(b["key"], (BATCH, NOISE))
    teacher = values(learner["critic"], b["state"], base(b["features"], w))
    loss = lambda critic: 0.5 * jnp.square(values(critic, b["state"], w / MAGNITUDE) - teacher).mean(1).sum()
    return descend(learner, "noise_critic", jax.grad(loss)(learner["noise_critic"]))


def iteration(learner, b):
    """One update, or two and a distillation."""
    if VARIANT != "na":
        return sac(learner, b), 0
    half = lambda i: {name: x[i] for name, x in b.items()}
    return distil(na(na(learner, half(0)), half(1)), half(1)), 0


def main():
    if int(sys.argv[1]) != os.cpu_count():
        sys.exit(f"Cannot run JAX on {sys.argv[1]} threads: its pool has one per core, {os.cpu_count()}")
    key = jax.random.PRNGKey(0)
    many = lambda width: jax.vmap(lambda k: initialize(k, width, 1))(jax.random.split(key, CRITICS))
    networks = {
        "critic": many(STATE + (EXECUTE * ACTION if VARIANT == "na" else NOISE)),
        "noise_critic": many(STATE + NOISE),
        "actor": initialize(key, STATE, 2 * NOISE, norm=not PUBLISHED),
        "log_alpha": jnp.zeros(()),
    }
    zeros = lambda tree: (jax.tree.map(jnp.zeros_like, tree), jax.tree.map(jnp.zeros_like, tree))
    moments = {name: zeros(x) for name, x in networks.items()}
    learner = networks | {"step": jnp.zeros(()), "target": networks["critic"], "moments": moments}
    rows = {"state": STATE, "next_state": STATE, "w": NOISE, "features": FEATURES, "next_features": FEATURES,
            "chunk": EXECUTE * ACTION}

    def batch(key):
        keys = jax.random.split(key, 8)
        arrays = {name: jax.random.normal(k, (BATCH, size)) for (name, size), k in zip(rows.items(), keys)}
        return arrays | {"reward": jax.random.normal(keys[6], (BATCH,)), "discount": jnp.full(BATCH, 0.92), "key": keys[7]}

    @functools.cache
    def batches(n):
        made = jax.vmap(batch)(jax.random.split(key, n))
        return jax.tree.map(lambda x: x.reshape(n // 2, 2, *x.shape[1:]), made) if VARIANT == "na" else made

    run = jax.jit(lambda learner, batches: jax.lax.scan(iteration, learner, batches)[0])
    jax.block_until_ready(run(learner, batches(20)))
    print("ready", flush=True)
    for line in sys.stdin:
        n = int(line)
        jax.block_until_ready(batches(n))
        start = time.perf_counter()
        jax.block_until_ready(run(learner, batches(n)))
        print((time.perf_counter() - start) / n * 1e3, flush=True)


main()
