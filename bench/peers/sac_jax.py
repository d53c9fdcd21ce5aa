"""The update of ../sac_update.ts in JAX, a jitted scan of n updates.

Usage: sac_jax.py THREADS [cpu|cuda], where on the CPU THREADS can only be the number of cores. Products are of
float32 on a GPU, too, not of TF32. Prints "ready"; then, for each line with a
number n on standard input, runs n updates in one call and prints their mean time in milliseconds (a new n compiles).
"""

import functools
import math
import os
import sys
import time

DEVICE = sys.argv[2] if len(sys.argv) > 2 else "cpu"
os.environ["JAX_PLATFORMS"] = DEVICE
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # others use the GPU beside it
import jax
from jax import numpy as jnp

jax.config.update("jax_default_matmul_precision", "highest")

STATE, ACTION, WIDTH, LAYERS, BATCH = 265, 7, 256, 3, 256
XI, GAMMA, TAU, RATE, DECAY, CLIP = 0.5, 0.99, 0.005, 3e-4, 1e-2, 1.0


def initialize(key, outputs):
    layers, width = [], STATE + ACTION
    for size in [WIDTH] * LAYERS + [outputs]:
        key, sub = jax.random.split(key)
        layer = {"kernel": jax.random.normal(sub, (width, size)) / math.sqrt(width), "bias": jnp.zeros(size)}
        if len(layers) < LAYERS:
            layer |= {"gain": jnp.ones(size), "shift": jnp.zeros(size)}
        layers.append(layer)
        width = size
    return layers


def forward(layers, x):
    for layer in layers[:-1]:
        x = x @ layer["kernel"] + layer["bias"]
        centred = x - x.mean(1, keepdims=True)
        inverse = jax.lax.rsqrt(jnp.square(centred).mean(1, keepdims=True) + 1e-6)
        x = jnp.tanh(centred * inverse * layer["gain"] + layer["shift"])
    return x @ layers[-1]["kernel"] + layers[-1]["bias"]


def act(actor, state, base, key):
    mean, log_deviation = jnp.split(forward(actor, jnp.concatenate([state, base], 1)), 2, 1)
    log_deviation = jnp.clip(log_deviation, math.log(1e-5), math.log(5))
    noise = jax.random.normal(key, mean.shape)
    u = mean + jnp.exp(log_deviation) * noise
    log_normal = -0.5 * jnp.square(noise) - log_deviation - 0.5 * math.log(2 * math.pi)
    log_slope = 2 * (math.log(2) - u - jax.nn.softplus(-2 * u))
    return jnp.clip(base + XI * jnp.tanh(u), -1, 1), (log_normal - log_slope).sum(1)


def values(critics, state, action):
    x = jnp.concatenate([state, action], 1)
    return jax.vmap(lambda critic: forward(critic, x)[:, 0])(critics)


def descend(weights, gradients, moments, step):
    norm = jnp.sqrt(sum(jnp.square(g).sum() for g in jax.tree.leaves(gradients)))
    scale = jnp.minimum(1, CLIP / (norm + 1e-6))
    gradients = jax.tree.map(lambda g: g * scale, gradients)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments[0], gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * jnp.square(g), moments[1], gradients)
    rate, root = RATE / (1 - 0.9**step), jnp.sqrt(1 - 0.999**step)
    weights = jax.tree.map(
        lambda p, m, v: (1 - RATE * DECAY) * p - rate * root * m / (jnp.sqrt(v) + 1e-8 * root), weights, first, second
    )
    return weights, (first, second)


def update(learner, b):
    step = learner["step"] + 1
    alpha = jnp.exp(learner["log_alpha"])
    key, next_key = jax.random.split(b["key"])
    action, log_density = act(learner["actor"], b["next_state"], b["next_base"], next_key)
    least = values(learner["targets"], b["next_state"], action).min(0)
    y = b["reward"] + GAMMA * (1 - b["terminated"]) * (least - alpha * log_density)

    def critic_loss(critics):
        return jnp.square(values(critics, b["state"], b["action"]) - y).mean(1).sum()

    loss, gradients = jax.value_and_grad(critic_loss)(learner["critics"])
    critics, critic_moments = descend(learner["critics"], gradients, learner["critic_moments"], step)

    def actor_loss(actor):
        action, log_density = act(actor, b["state"], b["base"], key)
        return (alpha * log_density - values(critics, b["state"], action).min(0)).mean(), log_density.mean()

    gradients, log_density = jax.grad(actor_loss, has_aux=True)(learner["actor"])
    actor, actor_moments = descend(learner["actor"], gradients, learner["actor_moments"], step)
    learner = {
        "step": step,
        "log_alpha": learner["log_alpha"] - RATE * alpha * (ACTION - log_density),
        "critics": critics,
        "critic_moments": critic_moments,
        "targets": jax.tree.map(lambda t, p: (1 - TAU) * t + TAU * p, learner["targets"], critics),
        "actor": actor,
        "actor_moments": actor_moments,
    }
    return learner, loss


def main():
    if DEVICE == "cpu" and int(sys.argv[1]) != os.cpu_count():
        sys.exit(f"Cannot run JAX on {sys.argv[1]} threads: its pool has one per core, {os.cpu_count()}")
    key = jax.random.PRNGKey(0)
    critics = jax.vmap(lambda k: initialize(k, 1))(jax.random.split(key, 2))
    actor = initialize(key, 2 * ACTION)
    zeros = lambda tree: (jax.tree.map(jnp.zeros_like, tree), jax.tree.map(jnp.zeros_like, tree))
    learner = {
        "step": jnp.zeros(()),
        "log_alpha": jnp.zeros(()),
        "critics": critics,
        "critic_moments": zeros(critics),
        "targets": critics,
        "actor": actor,
        "actor_moments": zeros(actor),
    }

    def batch(key):
        keys = jax.random.split(key, 8)
        rows = {"state": STATE, "base": ACTION, "action": ACTION, "next_state": STATE, "next_base": ACTION}
        arrays = {name: jax.random.normal(k, (BATCH, size)) for (name, size), k in zip(rows.items(), keys)}
        bounded = {name: jnp.tanh(x) if x.shape[1] == ACTION else x for name, x in arrays.items()}
        return bounded | {"reward": jax.random.normal(keys[6], (BATCH,)), "terminated": jnp.zeros(BATCH), "key": keys[7]}

    @functools.cache
    def batches(n):
        return jax.vmap(batch)(jax.random.split(key, n))

    run = jax.jit(lambda learner, batches: jax.lax.scan(update, learner, batches)[0])
    jax.block_until_ready(run(learner, batches(20)))
    print("ready", flush=True)
    for line in sys.stdin:
        n = int(line)
        jax.block_until_ready(batches(n))
        start = time.perf_counter()
        jax.block_until_ready(run(learner, batches(n)))
        print((time.perf_counter() - start) / n * 1e3, flush=True)


main()
