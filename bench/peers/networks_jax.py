"""The workloads of ../networks.ts in JAX, jitted, state donated.

Usage: networks_jax.py THREADS WORKLOAD [cpu|cuda]. Products and convolutions are of float32 on a GPU, too, not of TF32;
the pictures lie there already. Prints "ready"; then, for each line with a number n on standard input, runs it n times and
prints the mean time in milliseconds.
"""

import os
import sys
import time

DEVICE = sys.argv[3] if len(sys.argv) > 3 else "cpu"
os.environ["JAX_PLATFORMS"] = DEVICE
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # others use the GPU beside it
if DEVICE == "cpu":
    several = "true" if int(sys.argv[1]) > 1 else "false"
    os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={several} intra_op_parallelism_threads={sys.argv[1]}"
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

if DEVICE != "cpu":
    jax.config.update("jax_default_matmul_precision", "highest")

rng = np.random.default_rng(0)
normal = lambda *shape: jnp.asarray(rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1])), jnp.float32)
FILTERS = (64, 128, 256, 512)


def conv(x, kernel, stride, padding="SAME"):
    return jax.lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def group_norm(x, scale, bias):
    n, h, w, c = x.shape
    g = x.reshape(n, h * w, 4, c // 4)
    mean, var = g.mean((1, 3), keepdims=True), g.var((1, 3), keepdims=True)
    return ((g - mean) * jax.lax.rsqrt(var + 1e-5)).reshape(x.shape) * scale + bias


def layer_norm(x):
    return (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-6)


def trunk_weights():
    w = {"start": normal(7, 7, 3, 64), "start_n": (jnp.ones(64), jnp.zeros(64))}
    for i, f in enumerate(FILTERS):
        into = FILTERS[max(0, i - 1)]
        w[f"{i}a"], w[f"{i}b"] = normal(3, 3, into, f), normal(3, 3, f, f)
        if i:
            w[f"{i}p"] = normal(1, 1, into, f)
        for k in "abp" if i else "ab":
            w[f"{i}{k}_n"] = (jnp.ones(f), jnp.zeros(f))
    return w


def trunk(w, pictures):
    x = conv(pictures / 255, w["start"], 2, ((3, 3), (3, 3)))
    x = jax.nn.relu(group_norm(x, *w["start_n"]))
    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
    for i in range(4):
        stride = 2 if i else 1
        y = jax.nn.relu(group_norm(conv(x, w[f"{i}a"], stride), *w[f"{i}a_n"]))
        y = group_norm(conv(y, w[f"{i}b"], 1), *w[f"{i}b_n"])
        if i:
            x = group_norm(conv(x, w[f"{i}p"], stride), *w[f"{i}p_n"])
        x = jax.nn.relu(x + y)
    return x


def encoder(w, pictures):
    x = pictures / 255
    for i, stride in enumerate((2, 1, 1, 1)):
        x = jax.nn.relu(conv(x, w[f"c{i}"], stride, "VALID") + w[f"b{i}"])
    return jnp.tanh(layer_norm(x.reshape(x.shape[0], -1) @ w["k"] + w["b"]) * w["g"] + w["s"])


def encoder_weights():
    w = {f"c{i}": normal(3, 3, 3 if i == 0 else 32, 32) for i in range(4)}
    w |= {f"b{i}": jnp.zeros(32) for i in range(4)}
    return w | {"k": normal(20_000, 50), "b": jnp.zeros(50), "g": jnp.ones(50), "s": jnp.zeros(50)}


def sgd(network, weights, pictures):
    @jax.jit
    def step(w):
        gradients = jax.grad(lambda w: network(w, pictures).sum())(w)
        return jax.tree.map(lambda p, g: p - 1e-9 * g, w, gradients)

    state = [weights]

    def run():
        state[0] = jax.block_until_ready(step(state[0]))

    return run


W, HEADS, BLOCKS = 128, 4, 4


def flow_weights():
    dense = lambda a, b: (normal(a, b), jnp.zeros(b))
    w = {"embed": dense(7, W), "time": dense(32, W), "obs": dense(20, W), "pos": normal(16, W)}
    for i in range(BLOCKS):
        w |= {f"{i}qkv": normal(W, 3 * W), f"{i}mix": dense(W, W), f"{i}up": dense(W, 4 * W)}
        w |= {f"{i}down": dense(4 * W, W), f"{i}mod": dense(W, 6 * W)}
    return w | {"last": dense(W, 2 * W), "out": dense(W, 7)}


def velocity(w, features, chunk, t):
    lin = lambda name, x: x @ w[name][0] + w[name][1]
    phase = t[:, None] * jnp.linspace(1.5, 150, 16)
    signal = jax.nn.silu(lin("time", jnp.concatenate([jnp.sin(phase), jnp.cos(phase)], 1)) + lin("obs", features))
    x = lin("embed", chunk) + w["pos"]
    for i in range(BLOCKS):
        m = [p[:, None] for p in jnp.split(lin(f"{i}mod", signal), 6, 1)]
        seen = layer_norm(x) * (1 + m[1]) + m[0]
        q, k, v = (seen @ w[f"{i}qkv"]).reshape(*x.shape[:2], 3, HEADS, W // HEADS).transpose(2, 0, 3, 1, 4)
        scores = jax.nn.softmax(q @ k.transpose(0, 1, 3, 2) / np.sqrt(W // HEADS))
        x = x + m[2] * lin(f"{i}mix", (scores @ v).transpose(0, 2, 1, 3).reshape(x.shape))
        seen = layer_norm(x) * (1 + m[4]) + m[3]
        x = x + m[5] * lin(f"{i}down", jax.nn.gelu(lin(f"{i}up", seen), approximate=True))
    shift, scale = jnp.split(lin("last", signal), 2, 1)
    return lin("out", layer_norm(x) * (1 + scale[:, None]) + shift[:, None])


def transformer_step():
    features, noise, actions = normal(256, 20), normal(256, 16, 7), normal(256, 16, 7)
    times, weight = jnp.asarray(rng.uniform(size=256), jnp.float32), jnp.ones((256, 16))

    def loss(w):
        t = times[:, None, None]
        error = ((velocity(w, features, t * noise + (1 - t) * actions, times) - (noise - actions)) ** 2).mean(2)
        return (weight * error).sum() / weight.sum()

    @jax.jit
    def step(w, m, v, ema):
        g = jax.grad(loss)(w)
        norm = jnp.sqrt(sum((x**2).sum() for x in jax.tree.leaves(g)))
        g = jax.tree.map(lambda x: x * jnp.minimum(1, 1 / (norm + 1e-6)), g)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.95 * v + 0.05 * g * g, v, g)
        w = jax.tree.map(lambda p, m, v: p * (1 - 1e-7) - 1e-3 * m / (jnp.sqrt(v) + 1e-8), w, m, v)
        return w, m, v, jax.tree.map(lambda e, p: e + 0.001 * (p - e), ema, w)

    weights = flow_weights()
    zeros = jax.tree.map(jnp.zeros_like, weights)
    state = [(weights, zeros, zeros, weights)]

    def run():
        state[0] = jax.block_until_ready(step(*state[0]))

    return run


def trunk_forward():
    weights, seen = trunk_weights(), jnp.asarray(rng.integers(0, 256, size=(8, 128, 128, 3)), jnp.float32)
    forward = jax.jit(trunk)
    return lambda: jax.block_until_ready(forward(weights, seen))


pictures = lambda *shape: jnp.asarray(rng.integers(0, 256, size=shape), jnp.float32)
WORKLOADS = {
    "trunk-forward": trunk_forward,
    "trunk-step": lambda: sgd(trunk, trunk_weights(), pictures(8, 128, 128, 3)),
    "encoder-step": lambda: sgd(encoder, encoder_weights(), pictures(256, 64, 64, 3)),
    "transformer-step": transformer_step,
}

run = WORKLOADS[sys.argv[2]]()
run()
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    for _ in range(int(line)):
        run()
    print((time.perf_counter() - start) / int(line) * 1e3, flush=True)
