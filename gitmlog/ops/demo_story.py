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

RUNS = Chapter(
    "Many tries: runs",
    "Nobody commits every try by hand. With these lines each start of train.py is a run: a commit and a tag beside the branch.\n"
    "They hold code, data, parameters, environment, metrics and model; nothing has to be committed first.",
    (
        Write("runs.patch", "../runs.patch"),
        Run("git apply ../runs.patch && git rm --quiet metrics.json"),
        Run("git diff --unified=0 --no-ext-diff train.py"),
        Run("python train.py --hidden 16 --epochs 20 --rate 0.1"),
        Run("python train.py --hidden 64 --epochs 20 --rate 0.3"),
        Run("python train.py --hidden 64 --epochs 20 --rate 3"),
        Run("gitmlog runs list"),
        Run("gitmlog runs compare best:metrics.accuracy last"),
        Run("gitmlog runs plot training_accuracy"),
    ),
)

ACCEPT = Chapter(
    "Keep the best",
    "Accepting a run moves the branch to it: the code as it ran, the model that it made, and the record of how.",
    (
        Run("gitmlog runs accept best:metrics.accuracy"),
        Run("python train.py --evaluate"),
        Run("git status --short"),
        Run("git log --oneline --graph --all"),
        Run("gitmlog push --runs && git push --quiet"),
    ),
)

FOUND = Chapter(
    "The colleague finds it",
    "The tags travel with git, the bytes with gitmlog. Where the model came from, plain git says.",
    (
        Run("cd ../colleague"),
        Run("git pull --quiet --tags && gitmlog pull"),
        Run("python train.py --evaluate"),
        Run("git log -1 --format=%s%n%n%b -- model.npz.gitmlog"),
        Run("gitmlog runs list --sort -metrics.accuracy"),
    ),
)

CHAPTERS: list[Chapter] = [PREPARE, DATA, MODEL, SHARE, BETTER, COLLEAGUE, BACK, RUNS, ACCEPT, FOUND]

AFTERWARDS = (
    "gitmlog runs show best:metrics.accuracy",
    "git tag && git show --stat HEAD",
    "gitmlog run -p rate=0.5 -- python train.py --hidden 32 --rate {rate}",
    "gitmlog checkout --rev HEAD~1 model.npz",
    "gitmlog cat HEAD~1:model.npz | wc --bytes",
    "rm model.npz && gitmlog checkout && gitmlog status",
    "gitmlog verify --remote",
    "gitmlog gc",
    "gitmlog help runs",
)
