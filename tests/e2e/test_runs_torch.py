"""A real PyTorch script, changed by three lines; `pip install torch==2.13.0`, which the extra `test` does not bring."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec

import pytest

from tests.conftest import Sandbox
from tests.e2e import training

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(find_spec("torch") is None and not os.environ.get("CI"), reason="torch is not installed"),
]

SCRIPT = '''"""Read handwritten digits with a small network."""

import argparse

import gitmlog
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--hidden", type=int, default=32)
parser.add_argument("--epochs", type=int, default=4)
options = parser.parse_args()

torch.manual_seed(0)
images, digits = load_digits(return_X_y=True)
images, digits = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(digits)
batches = DataLoader(TensorDataset(images[360:], digits[360:]), batch_size=32, shuffle=True)
model = torch.nn.Sequential(torch.nn.Linear(64, options.hidden), torch.nn.Tanh(), torch.nn.Linear(options.hidden, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=options.lr)

with gitmlog.start_run(params=options, outputs=["model.pt"]):
    for epoch in range(options.epochs):
        for x, y in batches:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        accuracy = (model(images[:360]).argmax(1) == digits[:360]).float().mean()
        print(f"epoch {epoch}: loss {loss:.3f}, accuracy {accuracy:.3f}")
        gitmlog.log_metrics({"loss": loss, "accuracy": accuracy}, step=epoch)
    torch.save(model.state_dict(), "model.pt")
'''
EVALUATE = """
import torch
from sklearn.datasets import load_digits

images, digits = load_digits(return_X_y=True)
images, digits = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(digits)
weights = torch.load("model.pt", weights_only=True)
hidden = len(weights["0.bias"])
model = torch.nn.Sequential(torch.nn.Linear(64, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, 10))
model.load_state_dict(weights)
print(repr((model(images[:360]).argmax(1) == digits[:360]).float().mean().item()))
"""


def test_a_script_changed_by_three_lines(make_sandbox: Callable[[str], Sandbox], monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum("gitmlog" in line for line in SCRIPT.splitlines()) == 3
    project = training.Training.prepare(make_sandbox("ada"), SCRIPT, "model.pt", "accuracy")
    head = project.ada.git("rev-parse", "HEAD").strip()
    for arguments in (("--lr", "0.01"), (), ("--lr", "1"), ("--hidden", "8"), ("--hidden", "128", "--lr", "0.3")):
        project.run(*arguments)
    assert [run["metrics"]["loss"]["count"] for run in project.runs()] == [4] * 5
    assert project.best()["metrics"]["accuracy"]["step"] == 3
    training.check_left_alone(project, head)
    training.check_looks(project, monkeypatch)
    training.check_plots(project, "loss")
    best = training.accept_and_push(project)
    training.check_found_again(project, best, "loss", EVALUATE)
    assert len(training.other_models(project)) == 5
