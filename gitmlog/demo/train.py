"""Train a digit classifier on data/digits.csv.gz with numpy alone; --evaluate: say how good model.npz is."""

import argparse
import json
import sys

import numpy as np


def load():
    """Pixels from 0 to 1, digits, and which images are kept for the test: every fifth."""
    table = np.loadtxt("data/digits.csv.gz", delimiter=",", dtype=np.float32)
    return table[:, :64] / 16, table[:, 64].astype(int), np.arange(len(table)) % 5 == 0


def forward(weights, images):
    """The activations of the last layer's input, and a probability for each digit."""
    inner = np.tanh(images @ weights["w0"] + weights["b0"]) if "w0" in weights else images
    scores = inner @ weights["w1"] + weights["b1"]
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return inner, scores / scores.sum(axis=1, keepdims=True)


def accuracy(weights, images, digits):
    """The part of the images that are read right."""
    return float((forward(weights, images)[1].argmax(axis=1) == digits).mean())


def initial(hidden, random):
    """Small random weights: softmax regression, or one hidden layer."""
    if not hidden:
        return {"w1": np.zeros((64, 10), np.float32), "b1": np.zeros(10, np.float32)}
    return {
        "w0": random.normal(0, 0.125, (64, hidden)).astype(np.float32),
        "b0": np.zeros(hidden, np.float32),
        "w1": random.normal(0, hidden**-0.5, (hidden, 10)).astype(np.float32),
        "b1": np.zeros(10, np.float32),
    }


def step(weights, images, digits, rate):
    """One step of gradient descent on the cross-entropy."""
    inner, error = forward(weights, images)
    error[np.arange(len(digits)), digits] -= 1
    error /= len(digits)
    back = error @ weights["w1"].T
    weights["w1"] -= rate * inner.T @ error
    weights["b1"] -= rate * error.sum(axis=0)
    if "w0" in weights:
        back *= 1 - inner**2
        weights["w0"] -= rate * images.T @ back
        weights["b0"] -= rate * back.sum(axis=0)


def train(images, digits, options):
    """The weights after all epochs."""
    random = np.random.default_rng(options.seed)
    weights = initial(options.hidden, random)
    for _ in range(options.epochs):
        order = random.permutation(len(digits))
        for batch in np.array_split(order, max(1, len(order) // 32)):
            step(weights, images[batch], digits[batch], options.rate)
    return weights


def fit(options):
    """Train, and write the model and what there is to say about it."""
    images, digits, held_out = load()
    weights = train(images[~held_out], digits[~held_out], options)
    share = accuracy(weights, images[held_out], digits[held_out])
    size = sum(each.size for each in weights.values())
    np.savez("model.npz", **weights)
    metrics = {"accuracy": round(share, 4), "parameters": size, "options": vars(options)}
    with open("metrics.json", "w", encoding="utf-8") as file:
        file.write(json.dumps(metrics, indent=2) + "\n")
    print(f"accuracy {share:.1%}, {size:,} parameters")


def evaluate():
    """Say how good the model is that is there."""
    images, digits, held_out = load()
    with np.load("model.npz") as weights:
        share = accuracy(dict(weights), images[held_out], digits[held_out])
    print(f"model.npz reads {share:.1%} of {held_out.sum()} test images right")


def main():
    """Read the command line: train, or only evaluate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, default=0, help="neurons in the hidden layer; 0: softmax regression")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.05, help="learning rate")
    parser.add_argument("--seed", type=int, default=7)
    if sys.argv[1:] == ["--evaluate"]:
        evaluate()
        return
    options = parser.parse_args()
    fit(options)


if __name__ == "__main__":
    main()
