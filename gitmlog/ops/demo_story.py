"""What `gitmlog demo` plays: chapters of commands. A later chapter may rely on what the ones before it left."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Write:
    """A file that ships with gitmlog is put at `path`, below the current folder."""

    source: str
    path: str


@dataclass(frozen=True)
class Run:
    """A line as a user would type it: git, gitmlog, python, cat, ls or cd, joined by `&&`.

    `{remote}` in it stands for the folder of the embedded remote. `code` is how the line is expected to end.
    """

    line: str
    code: int = 0


@dataclass(frozen=True)
class Chapter:
    """A title, what the user should know before, and what happens."""

    title: str
    text: str
    steps: tuple[Run | Write, ...]


PREPARE = Chapter(
    "A git repository",
    "Any git repository will do. This one gets an author of its own, so that the demo does not need yours.",
    (
        Run("git init --bare --quiet --initial-branch=main --template= hub.git"),
        Run("git init --quiet --initial-branch=main --template= project"),
        Run("cd project"),
        Run("git config user.name 'Ada Demo' && git config user.email ada@example.org"),
        Run("gitmlog init"),
    ),
)

DATA = Chapter(
    "Data",
    "1,797 real handwritten digits (UCI, CC BY 4.0). git gets a small text file, the metafile; the bytes go into the cache.",
    (
        Write("digits.csv.gz", "data/digits.csv.gz"),
        Write("train.py", "train.py"),
        Run("gitmlog add --type dataset --desc 'UCI handwritten digits' data"),
        Run("cat data.gitmlog"),
        Run("git add train.py && git commit --quiet -m 'digits, and how to train'"),
    ),
)

MODEL = Chapter(
    "A first model",
    "Softmax regression, trained here and now with numpy. Code, data, metrics and model are tied together by one commit.",
    (
        Run("python train.py --epochs 10"),
        Run("gitmlog add --type model model.npz"),
        Run("git add metrics.json && git commit --quiet -m 'first model: softmax regression'"),
        Run("gitmlog status"),
    ),
)

SHARE = Chapter(
    "Share it",
    "A remote keeps the bytes for others. Here it is a folder; s3://, gs://, az:// and ssh:// work the same way.",
    (
        Run("gitmlog remote add origin {remote}"),
        Run("git remote add origin ../hub.git"),
        Run("gitmlog push && git push --quiet --set-upstream origin main"),
    ),
)

BETTER = Chapter(
    "A better model",
    "One hidden layer and more epochs. The change is text: this is what a pull request shows.",
    (
        Run("python train.py --hidden 128 --epochs 40 --rate 0.3"),
        Run("gitmlog status"),
        Run("gitmlog add model.npz && git add metrics.json"),
        Run("git diff --cached --no-ext-diff"),
        Run("git commit --quiet -m 'better model: one hidden layer'"),
        Run("gitmlog push && git push --quiet"),
    ),
)

COLLEAGUE = Chapter(
    "A colleague",
    "A plain git clone brings the history; gitmlog pull brings the bytes, and verify reads every one of them again.",
    (
        Run("cd .."),
        Run("git clone --quiet --template= hub.git colleague"),
        Run("cd colleague"),
        Run("gitmlog pull"),
        Run("gitmlog verify"),
        Run("python train.py --evaluate"),
    ),
)

BACK = Chapter(
    "Roll one model back",
    "The model from before the last commit returns, with its metrics. Nothing is rewritten: going back is a commit too.",
    (
        Run("cd ../project"),
        Run("git log --oneline -- model.npz.gitmlog"),
        Run("gitmlog checkout --rev HEAD~1 model.npz && git checkout --quiet HEAD~1 -- metrics.json"),
        Run("python train.py --evaluate"),
        Run("git commit --quiet -m 'back to the first model'"),
        Run("gitmlog push && git push --quiet"),
        Run("git log --oneline"),
    ),
)

CHAPTERS: list[Chapter] = [PREPARE, DATA, MODEL, SHARE, BETTER, COLLEAGUE, BACK]

AFTERWARDS = (
    "gitmlog checkout --rev HEAD~1 model.npz",
    "gitmlog cat HEAD~1:model.npz | wc --bytes",
    "rm model.npz && gitmlog status && gitmlog checkout",
    "gitmlog verify --remote",
    "gitmlog gc",
    "gitmlog help start",
)
