"""CFG on tiny random pi0 and pi0.5, and the loss on the same tensors in numpy.

`python -m unittest discover -s python/lerobot_bridge/tests -t python` in the bridge's environment.
"""

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from lerobot_bridge import tiny
from lerobot_bridge.condition import Conditioned, conditioned_from, model_inputs, sample
from lerobot_bridge.fold import fold
from lerobot_bridge.flow_data import FlowData, noise_and_time
from lerobot_bridge.flow_loss import sample_error, step_loss
from lerobot_bridge.policy import LoadedPolicy, Source

KINDS = ("pi0", "pi05")
ROWS = 4


def read_stats(dataset: Path):
    return {k: {n: np.asarray(v) for n, v in e.items()} for k, e in json.loads((dataset / "meta/stats.json").read_text()).items()}


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        root = Path(cls.folder.name)
        cls.dataset = tiny.make_dataset(root / "data")
        tokenizer = tiny.make_tokenizer(root / "tokenizer")
        stats = read_stats(cls.dataset)
        cls.paths = {kind: tiny.make_policy(kind, root / kind, tokenizer, stats) for kind in KINDS}

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def opened(self, kind: str, path: str = ""):
        """Conditioned policy, model inputs, actions, noise, time and what stands beside, of one minibatch."""
        loaded = LoadedPolicy(Source(path or str(self.paths[kind]), str(self.dataset / "meta/stats.json")))
        self.assertEqual(loaded.stats_used, "equal")
        data = FlowData(str(self.dataset), loaded.horizon, "cfg")
        raw, aside = data.batch([7, 8, 9, 14])  # the end of one episode, of which steps are padding, and another
        batch = loaded.preprocessor(raw)
        noise, time = noise_and_time(loaded.config, ROWS, 3, 0)
        return loaded, model_inputs(loaded.policy, batch), loaded.policy.prepare_action(batch), noise, time, aside


class TestCondition(Case):
    def test_zero_embedding_changes_no_output(self) -> None:
        for kind in KINDS:
            with self.subTest(kind):
                loaded, inputs, actions, noise, time, _ = self.opened(kind)
                with torch.no_grad():
                    plain = loaded.policy.model.forward(*inputs, actions, noise, time)
                    drawn = loaded.policy.model.sample_actions(*inputs, noise=noise)
                    conditioned = Conditioned(loaded.policy)
                    for o in (None, 0, 1):
                        with conditioned.given(o, ROWS):
                            self.assertTrue(torch.equal(plain, conditioned.model.forward(*inputs, actions, noise, time)))
                            self.assertTrue(torch.equal(drawn, conditioned.model.sample_actions(*inputs, noise=noise)))
                    for s in (None, 0, 1):
                        self.assertTrue(torch.equal(drawn, sample(conditioned, inputs, noise[:, None], s, None)[:, 0]))
                    # Twice the rows take other kernels: equal to rounding, not bit for bit.
                    both = sample(conditioned, inputs, noise[:, None], 2.5, None)[:, 0]
                    self.assertLess(float((both - drawn).abs().max()), 1e-5)

    def test_the_condition_acts_on_its_row_alone(self) -> None:
        for kind in KINDS:
            with self.subTest(kind):
                loaded, inputs, actions, noise, time, _ = self.opened(kind)
                conditioned = Conditioned(loaded.policy)
                with torch.no_grad():
                    with conditioned.given(0, ROWS):
                        before = conditioned.model.forward(*inputs, actions, noise, time)
                    conditioned.embedding[1] = torch.randn(conditioned.embedding.shape[1])
                    with conditioned.given(0, ROWS):
                        self.assertTrue(torch.equal(before, conditioned.model.forward(*inputs, actions, noise, time)))
                    with conditioned.given(1, ROWS):
                        self.assertFalse(torch.equal(before, conditioned.model.forward(*inputs, actions, noise, time)))
                conditioned.detach()
                self.assertTrue(torch.equal(before, loaded.policy.model.forward(*inputs, actions, noise, time)))

    def test_guidance_is_linear_between_the_branches(self) -> None:
        """One Euler step: x - v(s), so chunks are linear in s; s = 1 is the branch "positive", s = 0 "any"."""
        for kind in KINDS:
            with self.subTest(kind):
                loaded, inputs, _, noise, _, _ = self.opened(kind)
                conditioned = Conditioned(loaded.policy)
                with torch.no_grad():
                    conditioned.embedding.normal_(generator=torch.Generator().manual_seed(1))
                chunk = {s: sample(conditioned, inputs, noise[:, None], s, 1) for s in (0, 1, 3.0, 1.0000001)}
                self.assertGreater(float((chunk[1] - chunk[0]).abs().max()), 1e-3)
                linear = chunk[0] + 3 * (chunk[1] - chunk[0])
                self.assertLess(float((chunk[3.0] - linear).abs().max()), 1e-5)
                self.assertLess(float((chunk[1.0000001] - chunk[1]).abs().max()), 1e-5)
                with conditioned.given(1, ROWS):
                    branch = conditioned.model.sample_actions(*inputs, noise=noise, num_steps=1)
                self.assertTrue(torch.equal(branch, chunk[1][:, 0]))

    def test_draws_are_what_each_noise_gives_alone(self) -> None:
        for kind in KINDS:
            with self.subTest(kind):
                loaded, inputs, *_ = self.opened(kind)
                conditioned = Conditioned(loaded.policy)
                noise = torch.randn(ROWS, 3, loaded.horizon, loaded.noise_width, generator=torch.Generator().manual_seed(5))
                many = sample(conditioned, inputs, noise, None, None)
                for i in range(3):
                    alone = sample(conditioned, inputs, noise[:, i : i + 1], None, None)[:, 0]
                    self.assertLess(float((many[:, i] - alone).abs().max()), 1e-5)


    def test_folded_weights_are_the_positive_branch(self) -> None:
        for kind in KINDS:
            with self.subTest(kind):
                loaded, inputs, _, noise, _, _ = self.opened(kind)
                conditioned = Conditioned(loaded.policy)
                with torch.no_grad():
                    conditioned.embedding.normal_(generator=torch.Generator().manual_seed(1))
                guided = sample(conditioned, inputs, noise[:, None], 1, None)[:, 0]
                plain = sample(conditioned, inputs, noise[:, None], None, None)[:, 0]
                conditioned.detach()
                folded = fold(dict(loaded.policy.state_dict()), conditioned.embedding.detach()[1], kind)
                loaded.policy.load_state_dict(folded)
                with torch.no_grad():
                    alone = loaded.policy.model.sample_actions(*inputs, noise=noise)
                self.assertLess(float((alone - guided).abs().max()), 1e-5)
                self.assertGreater(float((plain - guided).abs().max()), 1e-3)


class TestLoss(Case):
    def test_loss_equals_numpy_and_leaves_padding_out(self) -> None:
        for kind in KINDS:
            with self.subTest(kind):
                loaded, inputs, actions, noise, time, aside = self.opened(kind)
                conditioned = Conditioned(loaded.policy)
                with torch.no_grad():
                    conditioned.embedding.normal_(generator=torch.Generator().manual_seed(1))
                aside["weight"] = torch.tensor([0.5, 0.25, 2.0, 1.0])
                aside["is_positive"] = torch.tensor([0.0, 1.0, 1.0, 0.0])
                self.assertLess(float(aside["mask"].sum()), aside["mask"].numel())
                part = step_loss(conditioned, "cfg", 0.1, inputs, actions, noise, time, aside)
                width = loaded.action_width
                error = {}
                for o in (0, 1):
                    with conditioned.given(o, ROWS), torch.no_grad():
                        squared = conditioned.model.forward(*inputs, actions, noise, time).double().numpy()
                    mask = aside["mask"].double().numpy()
                    error[o] = (squared[..., :width].mean(2) * mask).sum(1) / mask.sum(1)
                conditional = np.mean(np.array([0, 0.25, 2.0, 0]) * error[1])
                expected = conditional + 0.1 * np.mean(error[0])
                self.assertAlmostEqual(part["loss"], expected, delta=1e-6)
                self.assertAlmostEqual(part["conditional"], conditional, delta=1e-6)
                whole = step_loss(conditioned, "cfg", 0.1, inputs, actions, noise, time, {**aside, "mask": torch.ones_like(aside["mask"])})
                self.assertGreater(abs(whole["loss"] - expected), 1e-4)

    def test_gradients_of_parts_are_the_gradient_of_the_sum(self) -> None:
        loaded, inputs, actions, noise, time, aside = self.opened("pi05")
        conditioned = Conditioned(loaded.policy)
        step_loss(conditioned, "cfg", 0.1, inputs, actions, noise, time, aside, backward=lambda part: part.backward())
        summed = conditioned.embedding.grad.clone()
        conditioned.embedding.grad = None
        weight = aside["weight"] * aside["is_positive"]
        errors = [sample_error(conditioned, o, inputs, actions, noise, time, aside["mask"]) for o in (0, 1)]
        ((weight * errors[1]).mean() + 0.1 * errors[0].mean()).backward()
        self.assertLess(float((summed - conditioned.embedding.grad).abs().max()), 1e-7)
        self.assertGreater(float(summed.abs().max()), 0)

    def test_reloading_keeps_the_embedding(self) -> None:
        loaded, inputs, _, noise, _, _ = self.opened("pi0")
        conditioned = Conditioned(loaded.policy)
        with torch.no_grad():
            conditioned.embedding.normal_()
        with tempfile.TemporaryDirectory() as folder:
            conditioned.save(Path(folder))
            again = conditioned_from(self.opened("pi0")[0].policy, folder)
        self.assertTrue(torch.equal(again.embedding, conditioned.embedding))
        first = sample(conditioned, inputs, noise[:, None], 1, None)
        self.assertTrue(torch.equal(first, sample(again, inputs, noise[:, None], 1, None)))


if __name__ == "__main__":
    unittest.main()
