"""20 steps of the loop on tiny pi0 and pi0.5; serving over messages; what is refused."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict

import numpy as np
import torch

from lerobot_bridge import tiny
from lerobot_bridge.condition import conditioned_from, model_inputs, sample
from lerobot_bridge.errors import BridgeError
from lerobot_bridge.flow_train import Trainer
from lerobot_bridge.policy import LoadedPolicy, Source
from lerobot_bridge.serving import Served
from lerobot_bridge.tests.test_condition import KINDS, ROWS, Case, read_stats


class Killed(Exception):
    """A process that died."""


class TestTraining(Case):
    def settings(self, kind: str, output: str, **others: Any) -> Dict[str, Any]:
        group = {"learningRate": 1e-3, "clipNorm": 1.0}
        return {
            **{"policy": str(self.paths[kind]), "dataset": str(self.dataset), "norm_stats": None, "mismatch": "refuse"},
            **{"tokenizer": None, "device": "cpu", "method": "cfg", "unconditional": 0.1, "steps": 20, "batch": 8},
            **{"seed": 1, "warmup": 2, "decayTo": 0.1, "weightDecay": 1e-10, "model": group, "header": group},
            **{"headerWeights": ["action_out_proj", "state_proj"], "saveEvery": 7, "output": output},
            **others,
        }

    def train(self, settings: Dict[str, Any], killed_at: int = -1) -> list:
        spoken = io.StringIO()
        with contextlib.redirect_stdout(spoken):
            trainer = Trainer(settings)
            real = trainer.update

            def update(indices: Any) -> Dict[str, float]:
                if trainer.step == killed_at:
                    raise Killed
                return real(indices)

            trainer.update = update
            try:
                trainer.run()
            except Killed:
                pass
        marked = [line for line in spoken.getvalue().splitlines() if line.startswith("@uplift ")]
        return [json.loads(line.split(" ", 1)[1]) for line in marked]

    def test_twenty_steps_move_it_and_a_kill_does_not(self) -> None:
        for kind in KINDS:
            with self.subTest(kind), tempfile.TemporaryDirectory() as folder:
                straight, halted = f"{folder}/straight", f"{folder}/halted"
                events = self.train(self.settings(kind, straight))
                losses = [e["loss"] for e in events if "loss" in e]
                self.assertEqual(len(losses), 20)
                self.assertLess(np.mean(losses[-5:]), np.mean(losses[:5]))
                self.train(self.settings(kind, halted), killed_at=16)
                self.assertFalse(Path(halted, "pretrained_model").exists())
                again = self.train(self.settings(kind, halted))
                self.assertEqual([e["step"] for e in again if "loss" in e], list(range(14, 20)))
                for name in ("model.safetensors", "condition.safetensors", "config.json"):
                    a, b = (Path(x, "pretrained_model", name).read_bytes() for x in (straight, halted))
                    self.assertEqual(a, b, name)

                # It reloads, here and in LeRobot alone; the condition moved, and guidance 1 is its branch.
                trained = f"{straight}/pretrained_model"
                loaded, inputs, _, noise, _, _ = self.opened(kind, trained)
                conditioned = conditioned_from(loaded.policy, trained)
                self.assertGreater(float(conditioned.embedding.detach()[1].abs().max()), 0)
                self.assertGreater(float(conditioned.embedding.detach()[0].abs().max()), 0)
                with conditioned.given(1, ROWS):
                    branch = conditioned.model.sample_actions(*inputs, noise=noise)
                guided = sample(conditioned, inputs, noise[:, None], 1, None)[:, 0]
                self.assertTrue(torch.equal(branch, guided))
                before, inputs, *_ = self.opened(kind)
                self.assertFalse(torch.equal(before.policy.model.sample_actions(*inputs, noise=noise), guided))

    def test_weighted_flow_matching_runs_without_a_condition(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            events = self.train(self.settings("pi0", folder, method="weighted", steps=3))
            self.assertEqual([e["step"] for e in events if "loss" in e], [0, 1, 2])
            self.assertFalse(Path(folder, "pretrained_model", "condition.safetensors").exists())

    def refused(self, pattern: str, **others: Any) -> None:
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(BridgeError, pattern):
            self.train({**self.settings("pi0", folder), **others})

    def test_refusals_are_one_line(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            plain = tiny.make_dataset(Path(folder) / "plain", episodes=1, columns=False)
            stats = str(self.dataset / "meta/stats.json")
            self.refused("has no column weight", dataset=str(plain), norm_stats=stats)
            self.refused("mean of observation.state differs in 8 of 8", dataset=str(plain))
        self.refused("has no meta/info.json", dataset=folder, norm_stats=str(self.dataset / "meta/stats.json"))
        self.refused("empty parameter group model", headerWeights=["model"])
        self.refused("minibatches of 100: the data set has 27 frames", batch=100)
        self.refused("has no config.json", policy=folder)


class TestServing(Case):
    def served(self, kind: str, **others: Any) -> Served:
        guidance = others.pop("guidance", None)
        return Served(Source(str(self.paths[kind]), str(self.dataset / "meta/stats.json"), **others), guidance)

    def request(self, rows: int = 3, draws: int = 0, **others: Any) -> Dict[str, Any]:
        random = np.random.default_rng(2)
        shape = (rows, draws) if draws else (rows,)
        observation = {name: random.integers(0, 255, (rows, 32, 32, 3), dtype=np.uint8) for name in tiny.CAMERAS}
        observation["observation.state"] = random.normal(size=(rows, tiny.STATE)).astype(np.float32)
        noise = random.normal(size=(*shape, tiny.HORIZON, 32)).astype(np.float32)
        return {"observation": observation, "tasks": [f"task {i}" for i in range(rows)], **{"noise": noise, **others}}

    def test_chunk_shapes_and_noise_determinism(self) -> None:
        for kind in KINDS:
            with self.subTest(kind):
                served = self.served(kind)
                request = self.request()
                chunk = served.sample(request)
                self.assertEqual((chunk.shape, chunk.dtype), ((3, tiny.HORIZON, tiny.ACTION), np.float32))
                np.testing.assert_array_equal(chunk, served.sample(request))
                np.testing.assert_array_equal(chunk, self.served(kind).sample(request))
                other = {**request, "noise": request["noise"] + 0.5}
                self.assertGreater(np.abs(served.sample(other) - chunk).max(), 1e-3)
                many = served.sample(self.request(draws=4))
                self.assertEqual(many.shape, (3, 4, tiny.HORIZON, tiny.ACTION))

    def test_act_draws_chunks_and_takes_no_noise(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            tokenizer = tiny.make_tokenizer(Path(folder) / "tokenizer")
            path = tiny.make_policy("act", Path(folder) / "act", tokenizer, read_stats(self.dataset))
            served = Served(Source(str(path), str(self.dataset / "meta/stats.json")), None)
            request = self.request(noise=None)
            chunk = served.sample(request)
            self.assertEqual(chunk.shape, (3, tiny.HORIZON, tiny.ACTION))
            np.testing.assert_array_equal(chunk, served.sample(request))
            with self.assertRaisesRegex(BridgeError, "of type act: it draws none"):
                served.sample(self.request())

    def test_normalisation_round_trip(self) -> None:
        """State and action through the processors and back; the chunk's units are those of the data."""
        for kind in KINDS:
            loaded = LoadedPolicy(Source(str(self.paths[kind]), str(self.dataset / "meta/stats.json")))
            mode = {"pi0": "MEAN_STD", "pi05": "QUANTILES"}[kind]
            self.assertEqual(loaded.modes()["action"], mode)
            stats = json.loads((self.dataset / "meta/stats.json").read_text())["action"]
            action = torch.rand(5, tiny.ACTION) * 2 - 1
            normal = next(s for s in loaded.preprocessor.steps if type(s).__name__ == "NormalizerProcessorStep")
            turned = normal._normalize_action(action, inverse=False)
            low, high = ("mean", "std") if mode == "MEAN_STD" else ("q01", "q99")
            a, b = (np.asarray(stats[k]) for k in (low, high))
            expected = (action.numpy() - a) / b if mode == "MEAN_STD" else 2 * (action.numpy() - a) / (b - a) - 1
            np.testing.assert_allclose(turned.numpy(), expected, atol=1e-5)
            np.testing.assert_allclose(loaded.postprocessor(turned).numpy(), action.numpy(), atol=1e-5)

    def test_other_statistics_are_refused_unless_told(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            other = tiny.make_dataset(Path(folder) / "other", seed=9) / "meta/stats.json"
            path = str(self.paths["pi05"])
            with self.assertRaisesRegex(BridgeError, r"q01 of observation\.state differs in 8 of 8 numbers.*mismatch"):
                LoadedPolicy(Source(path, str(other)))
            kept = LoadedPolicy(Source(path, str(other), mismatch="policy"))
            given = LoadedPolicy(Source(path, str(other), mismatch="given"))
            self.assertEqual((kept.stats_used, given.stats_used), ("the policy's", "given"))
            chunk = torch.zeros(1, tiny.ACTION)
            stats = json.loads(other.read_text())["action"]
            middle = (np.asarray(stats["q01"]) + np.asarray(stats["q99"])) / 2
            np.testing.assert_allclose(given.postprocessor(chunk).numpy()[0], middle, atol=1e-5)
            self.assertGreater(np.abs(kept.postprocessor(chunk).numpy()[0] - middle).max(), 1e-3)

    def test_requests_that_do_not_fit_are_refused(self) -> None:
        served = self.served("pi05")
        request = self.request()
        state = request["observation"]["observation.state"]
        for pattern, change in (
            ("without noise: wanted \\[3, 6, 32\\]", {"noise": None}),
            ("noise of shape \\[3, 6, 7\\]", {"noise": np.zeros((3, 6, 7), np.float32)}),
            ("with other", {"observation": {**request["observation"], "other": state}}),
            ("without observation.state", {"observation": {tiny.CAMERAS[0]: request["observation"][tiny.CAMERAS[0]]}}),
            ("of shape \\[3, 4\\]: wanted \\[B, 8\\]", {"observation": {**request["observation"], "observation.state": state[:, :4]}}),
            ("in 0 steps", {"steps": 0}),
        ):
            with self.subTest(pattern), self.assertRaisesRegex(BridgeError, pattern):
                served.sample({**request, **change})

    def test_weights_that_were_not_loaded_are_noticed(self) -> None:
        """LeRobot's loader of pi0 goes on with random weights."""
        import shutil

        from safetensors.torch import load_file, save_file

        with tempfile.TemporaryDirectory() as folder:
            broken = Path(folder) / "pi0"
            shutil.copytree(self.paths["pi0"], broken)
            weights = load_file(str(broken / "model.safetensors"))
            weights.pop("model.action_in_proj.bias")
            save_file(weights, str(broken / "model.safetensors"))
            with self.assertRaisesRegex(BridgeError, "are not in it or do not fit"):
                LoadedPolicy(Source(str(broken), None))
            (broken / "model.safetensors").write_bytes(b"none")
            with self.assertRaisesRegex(BridgeError, "Cannot load the weights"):
                LoadedPolicy(Source(str(broken), None))


if __name__ == "__main__":
    unittest.main()
