"""A real scikit-learn script: changed by three lines, and by none."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest

from tests.conftest import Sandbox
from tests.e2e import training

pytestmark = pytest.mark.long

SCRIPT = '''"""Read handwritten digits with a support vector machine."""

import argparse

import gitmlog
import joblib
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

parser = argparse.ArgumentParser()
parser.add_argument("--C", type=float, default=1.0)
parser.add_argument("--gamma", type=float, default=0.001)
options = parser.parse_args()
images, digits = load_digits(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(images, digits, test_size=0.25, random_state=0)

with gitmlog.start_run("svm", params=options, outputs=["model.joblib"]):
    model = SVC(C=options.C, gamma=options.gamma).fit(train_x, train_y)
    accuracy = model.score(test_x, test_y)
    joblib.dump(model, "model.joblib")
    print(f"accuracy {accuracy:.4f}")
    gitmlog.log_metric("accuracy", accuracy)
'''
EVALUATE = """
import joblib
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

images, digits = load_digits(return_X_y=True)
_, test_x, _, test_y = train_test_split(images, digits, test_size=0.25, random_state=0)
print(repr(float(joblib.load("model.joblib").score(test_x, test_y))))
"""


def test_a_script_changed_by_three_lines(make_sandbox: Callable[[str], Sandbox], monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum("gitmlog" in line for line in SCRIPT.splitlines()) == 3
    project = training.Training.prepare(make_sandbox("ada"), SCRIPT, "model.joblib", "accuracy")
    head = project.ada.git("rev-parse", "HEAD").strip()
    for arguments in (("--C", "0.1"), (), ("--C", "10"), ("--gamma", "0.01"), ("--gamma", "0.0001")):
        project.run(*arguments)
    assert [run["status"] for run in project.runs()] == ["FINISHED"] * 5
    assert {(run["params"]["C"], run["params"]["gamma"]) for run in project.runs()} == {
        (0.1, 0.001), (1.0, 0.001), (10.0, 0.001), (1.0, 0.01), (1.0, 0.0001)
    }  # fmt: skip
    training.check_left_alone(project, head)
    training.check_looks(project, monkeypatch)
    training.check_plots(project, "accuracy")
    best = training.accept_and_push(project)
    training.check_found_again(project, best, "accuracy", EVALUATE)
    assert len(training.other_models(project)) == 5


def test_a_script_that_knows_nothing_of_it(sandbox: Sandbox) -> None:
    plain = training.without_gitmlog(SCRIPT).replace("import argparse\n", "import argparse, json\n")
    sandbox.write("train.py", plain + 'json.dump({"accuracy": accuracy}, open("metrics.json", "w"))\n')
    sandbox.commit("how to train")
    for value in ("0.5", "0.001"):
        command = ["run", "-p", f"C={value}", "-o", "model.joblib", "--metrics", "metrics.json"]
        done = sandbox.gitmlog(*command, "--", sys.executable, "train.py", "--C", "{C}")
        assert done.code == 0 and "accuracy 0." in done.out, done
    better, worse = training.listed(sandbox, "--sort", "-metrics.accuracy")
    assert (better["params"], worse["params"]) == ({"C": 0.5}, {"C": 0.001})
    assert set(better["outputs"]) == {"model.joblib"} and set(better["metrics"]) == {"accuracy"}
    same = json.loads(sandbox.here("runs", "compare", better["id"], worse["id"], "--json").out)["same"]
    assert "code" in same, "what the first run wrote is no code of the second"
    assert sandbox.here("runs", "accept", better["id"]).code == 0
    assert float(sandbox.run(sys.executable, "-c", EVALUATE, check=True).out) == better["metrics"]["accuracy"]["last"]
