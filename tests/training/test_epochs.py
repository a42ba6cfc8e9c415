"""Epochs: how samples fall into batches, and what counts as right."""

from __future__ import annotations

import torch
from bnstudy.study import registry
from bnstudy.study.study import Study
from bnstudy.training import ensembles, epochs, streams
from hypothesis import given
from hypothesis import strategies as st


@given(n=st.integers(1, 500), size=st.integers(2, 100))
def test_batches_partition_and_none_is_of_one(n, size):
    parts = list(epochs.batches(n, size))
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(n))
    sizes = [part.stop - part.start for part in parts]
    assert n == 1 or min(sizes) >= 2
    assert all(s == size for s in sizes[:-1])
    assert sizes[-1] <= size + 1


def test_a_prediction_that_is_not_a_number_is_wrong():
    logits = torch.full((1, 4, 10), float("nan"))
    _, correct = epochs.loss_and_correct(logits, torch.zeros(1, 4, dtype=torch.int64))
    assert not correct.any()


def test_of_equal_logits_the_first_is_the_prediction():
    _, correct = epochs.loss_and_correct(torch.zeros(1, 2, 10), torch.tensor([[0, 1]]))
    assert correct.tolist() == [[True, False]]


def test_every_sample_is_seen_once_an_epoch_in_its_seeds_order(digits):
    """Also where the last batch is smaller, and where a recorded step would be replayed."""
    study = Study.make({"dataset": "digits", "models": "mlp", "norms": "none", "inits": "default", "seeds": 2})
    runs = tuple(study.runs())
    replicas = ensembles.build_replicas(study, runs, digits, "cpu")
    seen: list[torch.Tensor] = []
    step = registry.optimizers["sgd"].function(
        list(replicas.parameters.values()), torch.tensor([0.01, 0.01], dtype=torch.float64), 0.9, 0.0
    )
    samples = (digits.train[0][:250], torch.arange(250) % 10)
    trainer = epochs.Trainer(replicas, samples, (0, 1), (0, 1), 100, step)
    learn = trainer._learn

    def spy(chosen: torch.Tensor) -> list[torch.Tensor | None]:
        seen.append(chosen.clone())
        return learn(chosen)

    trainer._learn = spy
    for number in (1, 2):
        seen.clear()
        trainer.epoch(number)
        assert [part.shape[1] for part in seen] == [100, 100, 50]
        for row, seed in zip(torch.cat(seen, 1), (0, 1), strict=True):
            assert torch.equal(row, streams.batch_order(seed, number, 250))


def test_a_step_that_cannot_be_recorded_still_runs(monkeypatch):
    """The path a CUDA device takes, with a graph that cannot be had: the step is run as it is."""

    class NoGraph:
        def __init__(self) -> None:
            raise RuntimeError("no CUDA here")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", NoGraph)
    run = lambda: [torch.ones(1)]  # noqa: E731
    assert epochs._recorded(run) is run


def test_evaluation_does_not_depend_on_its_batch(digits, monkeypatch):
    study = Study.make({"dataset": "digits", "models": "cnn", "norms": "batch", "inits": "default", "seeds": 1})
    replicas = ensembles.build_replicas(study, tuple(study.runs()), digits, "cpu", torch.float64)
    wanted = epochs.evaluate(replicas, digits.test, "test")
    monkeypatch.setattr(type(replicas), "evaluation_batch", 7)
    found = epochs.evaluate(replicas, digits.test, "test")
    assert abs(found["test_loss"] - wanted["test_loss"]) < 1e-12
    assert found["test_accuracy"] == wanted["test_accuracy"]
