"""What looks like a secret is replaced, what does not stays, and hostile text costs no time (spec: run.md, Threats)."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmlog.core.secret_names import is_secret_file, is_secret_name
from gitmlog.core.secrets import REDACTED, Scrubber, looks_like_token, secret_values

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAlPqt\nx9Qz+/8uJGZ0aGVyZQ==\n-----END RSA PRIVATE KEY-----"
ENCRYPTED = PEM.replace("KEY-----\nMII", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B\n\nMII")
A36 = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "password",
            "PASSWORD",
            "db_password",
            "DB_PASSWORD",
            "PGPASSWORD",
            "SSHPASS",
            "MYSQL_PWD",
            "DB_PASS",
            "--password",
            "passwd",
        ),
        *("passphrase", "SECRET", "client_secret", "clientSecret", "AWS_SECRET_ACCESS_KEY", "SECRET_KEY", "DJANGO_SECRET_KEY"),
        *("api_key", "apiKey", "API-KEY", "OPENAI_API_KEY", "WANDB_API_KEY", "--api-key", "private_key", "storage_account_key"),
        *("token", "HF_TOKEN", "GITHUB_TOKEN", "AWS_SESSION_TOKEN", "authToken", "access_token", "auth.token", "GH_PAT"),
        *("GOOGLE_CREDENTIALS", "SENTRY_DSN", "SLACK_WEBHOOK_URL", "model.api_key", "password2"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "max_tokens",
            "tokenizer",
            "pad_token",
            "eos_token",
            "eos_token_id",
            "token_type_ids",
            "num_tokens",
            "TOKENIZERS_PARALLELISM",
        ),
        *(
            "stop_token",
            "image_token",
            "tokens_per_second",
            "mask_token",
            "unk_token",
            "token_dropout",
            "new_token",
            "max_new_tokens",
        ),
        *("secretary", "monkey", "key", "keys", "primary_key", "sort_key", "foreign_key", "public_key", "keyboard", "hotkey"),
        *(
            "PWD",
            "OLDPWD",
            "passes",
            "n_pass",
            "single_pass",
            "compass",
            "bypass",
            "passenger",
            "pass_rate",
            "author",
            "authority",
        ),
        *(
            "PASSWORD_FILE",
            "token_file",
            "password_length",
            "SSH_AUTH_SOCK",
            "AWS_ACCESS_KEY_ID",
            "pat",
            "",
            "lr",
            "path",
            "desk",
        ),
    ],
)
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "secret",
    [
        *(
            "AKIAIOSFODNN7EXAMPLE",
            "ASIAIOSFODNN7EXAMPLE",
            f"ghp_{A36}",
            f"gho_{A36}",
            f"github_pat_{A36}_{A36}",
            f"glpat-{A36[:20]}",
        ),
        *(
            f"hf_{A36[:34]}",
            f"sk-{A36}",
            f"sk-proj-{A36}-{A36}",
            f"sk-ant-api03-{A36}",
            f"sk_live_{A36}",
            f"xoxb-123456789012-{A36}",
        ),
        *(
            "AIza" + A36[:35],
            f"ya29.{A36}",
            JWT,
            f"pypi-AgEIcHlwaS5vcmc{A36}",
            f"npm_{A36}",
            f"dckr_pat_{A36}",
            f"SG.{A36}.{A36}",
        ),
    ],
)
@pytest.mark.parametrize("around", ["{}", "found {} here", "'{}'", "x={}\n", "({},)", "https://example.org/{}/x", "[{}]"])
def test_tokens_of_known_form(secret: str, around: str) -> None:
    scrubber = Scrubber()
    text = scrubber.text(around.format(secret))
    assert secret not in text
    assert REDACTED in text
    assert scrubber.text(text) == text
    assert secret not in str(scrubber.param("note", around.format(secret)))
    assert secret not in " ".join(scrubber.command(["python", around.format(secret)]))


@pytest.mark.parametrize(
    "text",
    [
        *("max_tokens=512", 'tokenizer="bert"', 'pad_token="<pad>"', "token_type_ids=[0, 0]", "secretary=1", "monkey=banana"),
        *(
            "key=value",
            "primary_key=id",
            "tokens: 1234567890123456",
            "tokens/s=5123.12",
            "token=",
            "password=None",
            "password: missing",
        ),
        *("Enter password: ", "secrets: none", "task-0123456789abcdefghijklmnop", "risk-0123456789012345678901234", "sk-learn"),
        *(
            "hf_hub_download",
            "hf_transformers_trainer_callbacks_module",
            "https://host:8080/path?x=1&y=2",
            "git@example.org:a/b.git",
        ),
        *(
            "ssh://git@example.org/x",
            "epoch 3: loss=0.2 acc=0.9",
            "2f1b0e3e0f3c6c4a1d7f6a6f1a2b3c4d5e6f7a8b",
            "a basic configuration of it",
        ),
        *(
            "the bearer authentication is used",
            "step 10 --- 5 it/s --> done",
            "usage: x --token TOKEN --max-tokens 12",
            "-----BEGIN CERTIFICATE-----",
        ),
        *(
            "key: value",
            "def f(password: str) -> None",
            "api_key: Optional[str]",
            "eyJ.eyJ",
            "s3://models/demo",
            "user@example.org",
            "İstanbul",
        ),
        *(
            "tokenizer.pad_token=[PAD]",
            "eos_token='</s>'",
            "--pad-token <pad>",
            "stop_token=END",
            "a@b:c",
            "?sigma=3&key=3",
            "token=the",
        ),
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert Scrubber().text(text) == text
    assert Scrubber().command(text.split(" ")) == tuple(text.split(" ")) or "token=the" in text or "token TOKEN" in text


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("https://ada:hunter2@example.org/x", "https://ada:[redacted]@example.org/x"),
        ("https://:hunter2@example.org/x", "https://:[redacted]@example.org/x"),
        ("postgresql://u:p@ss@db:5432/x", "postgresql://u:[redacted]@db:5432/x"),
        (f"https://{A36}@example.org/x", "https://[redacted]@example.org/x"),
        ("https://h/o?sv=2&sig=ab%2Bc&se=3", "https://h/o?sv=2&sig=[redacted]&se=3"),
        ("https://h/o?X-Amz-Date=1&X-Amz-Signature=abc", "https://h/o?X-Amz-Date=1&X-Amz-Signature=[redacted]"),
        ("https://h/o?token=abc#x", "https://h/o?token=[redacted]#x"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer [redacted]"),
        ("Authorization: Basic YWRhOmh1bnRlcjI=", "Authorization: Basic [redacted]"),
        ("password=hunter2", "password=[redacted]"),
        (
            "Namespace(lr=0.1, password='hunter2', api_key=\"ab c\")",
            "Namespace(lr=0.1, password='[redacted]', api_key=\"[redacted]\")",
        ),
        ('{"password": "hunter2", "max_tokens": 12}', '{"password": "[redacted]", "max_tokens": 12}'),
        ("{'client_secret': 'x'}", "{'client_secret': '[redacted]'}"),
        ("password: hunter2", "password: [redacted]"),
        (f"token={A36}, x", "token=[redacted], x"),
        ("run --password hunter2 --lr 0.1", "run --password [redacted] --lr 0.1"),
        ("['--api-key', 'hunter2']", "['--api-key', '[redacted]']"),
        ("AccountName=a;AccountKey=bXk=;x=1", "AccountName=a;AccountKey=[redacted];x=1"),
        (f"begin\n{PEM}\nend", "begin\n[redacted]\nend"),
        (f"{ENCRYPTED}\nend", "[redacted]\nend"),
        ('"' + PEM.replace("\n", "\\n") + '"', '"[redacted]"'),
        ("İ password=hunter2", "İ password=[redacted]"),
    ],
)
def test_texts_with_secrets(text: str, scrubbed: str) -> None:
    assert Scrubber().text(text) == scrubbed
    assert Scrubber().text(scrubbed) == scrubbed


@pytest.mark.parametrize(
    ("command", "scrubbed"),
    [
        ("train --token hunter2 --lr 1", "train --token [redacted] --lr 1"),
        ("train --token=hunter2 x", "train --token=[redacted] x"),
        ("train --api-key=a=b x", "train --api-key=[redacted] x"),
        ("gitmlog run -p password=hunter2 -- x", "gitmlog run -p password=[redacted] -- x"),
        ("train +model.api_key=abc trainer.lr=1", "train +model.api_key=[redacted] trainer.lr=1"),
        ("env HF_TOKEN=abc python x.py", "env HF_TOKEN=[redacted] python x.py"),
        ("train --token --lr 1", "train --token --lr 1"),
        ("train --max-tokens 12 --pad-token <pad> --tokenizer bert", "train --max-tokens 12 --pad-token <pad> --tokenizer bert"),
        ("train https://x?token=abc", "train https://x?token=[redacted]"),
        ("java -Dpassword=x -password y", "java -Dpassword=[redacted] -password [redacted]"),
    ],
)
def test_commands(command: str, scrubbed: str) -> None:
    assert Scrubber().command(command.split()) == tuple(scrubbed.split())


def test_a_shell_command_in_one_argument() -> None:
    assert Scrubber().command(["bash", "-c", "export TOKEN=abc; x --secret 'a b'"]) == (
        "bash",
        "-c",
        "export TOKEN=[redacted]; x --secret '[redacted]'",
    )


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("password", "x", False),
        ("api_key", "abc", False),
        ("auth.private_key", "abc", False),
        ("token", "bert", True),
        ("token", A36, False),
        ("access_token", A36, False),
        ("pad_token", A36, True),
        ("max_tokens", 512, True),
        ("password", 5, True),
        ("tokenizer", "bert-base", True),
        ("secrets", ("a", "b"), False),
        ("url", "https://h/x", True),
        ("lr", 0.1, True),
        ("password", "", True),
    ],
)
def test_parameters(key: str, value: Any, kept: bool) -> None:
    found = Scrubber().param(key, value)
    assert (found == value) == kept
    assert kept or "abc" not in str(found)


def test_values_of_variables_are_hunted_everywhere() -> None:
    variables = {
        "HF_TOKEN": "correct-horse",
        "DB_PASSWORD": "p&ss wörd",
        "API_KEY": "1",
        "LANG": "en_GB.UTF-8",
        "KEY_PASSWORD": f" {PEM}\n",
    }
    scrubber = Scrubber(secret_values(variables))
    assert scrubber.text("x correct-horse y, correct-horsecorrect-horse") == "x [redacted] y, [redacted][redacted]"
    assert scrubber.text("p&ss wörd p%26ss%20w%C3%B6rd p&ss w\\u00f6rd") == "[redacted] [redacted] [redacted]"
    assert scrubber.text("1 of en_GB.UTF-8") == "1 of en_GB.UTF-8"
    assert "MIIEowIBAAKCAQEAlPqt" not in scrubber.text("line MIIEowIBAAKCAQEAlPqt")
    assert scrubber.param("note", "a correct-horse") == "a [redacted]"
    assert scrubber.command(["x", "correct-horse"]) == ("x", "[redacted]")


def test_of_two_values_the_longer_one_goes_first() -> None:
    assert Scrubber(["abcdefgh", "abcdefghij"]).text("abcdefghij abcdefgh") == "[redacted] [redacted]"


@pytest.mark.parametrize("key", [PEM, ENCRYPTED])
def test_a_private_key_that_comes_line_by_line(key: str) -> None:
    lines = ["before\n", *(f"{line}\n" for line in key.splitlines()), "after it all\n"]
    for size in range(1, len(lines) + 1):
        stream = Scrubber().stream()
        text = "".join(stream("".join(lines[start : start + size])) for start in range(0, len(lines), size))
        assert text.startswith("before\n[redacted]")
        assert text.endswith("\nafter it all\n")
        assert "MII" not in text and "x9Qz" not in text and "END" not in text


def test_a_private_key_that_does_not_end() -> None:
    stream = Scrubber().stream()
    assert stream("-----BEGIN PRIVATE KEY-----\n") == "[redacted]"
    assert stream("AAAABBBB\n") == ""
    assert stream("epoch 1: loss=0.1\n").endswith(": loss=0.1\n")
    assert stream("epoch 2\n") == "epoch 2\n"


def test_tokens_by_their_look() -> None:
    assert looks_like_token("0123456789abcdef") and looks_like_token(JWT)
    for text in ("abc1", "abcdefghijklmnopqrs", "01234567890123456789", "abc 0123456789 def", "<|endoftext|>"):
        assert not looks_like_token(text)


@given(st.text(max_size=200), st.text(alphabet="abcdefgh01234567", min_size=8, max_size=30))
def test_scrubbing_twice_changes_nothing_more(text: str, secret: str) -> None:
    scrubber = Scrubber([secret])
    once = scrubber.text(f"{text}{secret}{text}")
    assert secret not in once
    assert scrubber.text(once) == once


ORDINARY = (
    "2026-11-23 09:15:02,123 INFO trainer: epoch 12 step 3400 loss=0.2134 acc=0.913 lr=1e-4 tokens/s=51234 path=/data/x.bin\n"
)
HOSTILE = {
    "token=": "token=",
    "tokens": "token",
    "password: ": "password: ",
    "PEM": "-----BEGIN RSA PRIVATE KEY-----\n",
    "headers": "-----BEGIN PRIVATE KEY-----Version:",
    "eyJ": "eyJ",
    "eyJ.": "eyJabcdefghijk.",
    "sk-": "sk-",
    "SG.": f"SG.{A36}",
    "://": "://",
    "://a:": "://a:",
    "userinfo": "://a:b",
    "query": "?a=b&",
    "bearer": "bearer ",
    "quotes": "password='",
    "dashes": "--token ",
    "one word": "a",
    "turkish": "İ",
    "space": " ",
    "AKIA": "AKIA",
    "names": "api_key_",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_linear_time(name: str) -> None:
    """The best of three, since others may use the machine."""

    def took_for(size: int) -> float:
        text = HOSTILE[name] * (size // len(HOSTILE[name]))
        begun = time.process_time()
        Scrubber(["abcdefgh", "passwordx"]).text(text)
        Scrubber().stream()(text)
        Scrubber().command([text])
        return time.process_time() - begun

    took = [min(took_for(size) for _ in range(3)) for size in (1 << 17, 1 << 19)]
    assert took[1] < max(12 * took[0], 0.1)
    assert took[1] < 3


def test_ordinary_output_costs_little() -> None:
    text = ORDINARY * ((2 << 20) // len(ORDINARY))
    scrubber = Scrubber([f"{random.Random(n).random()}secret" for n in range(10)])
    begun = time.process_time()
    assert scrubber.text(text) == text
    assert time.process_time() - begun < 0.5


SECRET_FILES = """
    .env .env.local .env.production .env.bak config/.env .netrc _netrc .pgpass .my.cnf .npmrc .pypirc .htpasswd .git-credentials
    .dockercfg .dockerconfigjson .docker/config.json home/.docker/config.json .s3cfg .boto .vault-token .passwd-s3fs
    .databrickscfg rclone.conf rclone.conf.bak
    id_rsa id_dsa id_ecdsa id_ed25519 id_ed25519_sk id_rsa.bak id_rsa.old id_rsa~ id_rsa_work id_rsa.2024 keys/id_rsa ID_RSA
    key.pem server.pem key.pem.old key.pem.bak cert.pem.1 Key.PEM a.p12 a.pfx a.jks a.keystore vault.kdbx a.ppk a.ppk.bak
    tls.key tls.key.bak server.key.old
    .ssh/id_rsa .ssh/work .ssh/deploy_key home/me/.ssh/anything .gnupg/secring.gpg .kube/config .kaggle/kaggle.json kaggle.json
    data/kaggle.json .huggingface/token .cache/huggingface/token gh/hosts.yml
    .aws/credentials credentials deploy/credentials credentials.json credentials.yaml credentials.toml credentials.csv
    aws_credentials aws-credentials.json application_default_credentials.json new_user_credentials.csv rootkey.csv
    accessKeys.csv client_secret.json client_secrets.json client_secret_123.apps.googleusercontent.com.json
    service_account.json service-account.json serviceaccount.json service-account-prod.json my-service-account.json
    proj-firebase-adminsdk-x1.json gcp-key.json gcp_key.json sa-key.json google_creds.json msal_token_cache.json
    .streamlit/secrets.toml secrets.toml secrets.yaml secrets.yml secrets.json secret.json secret.yaml secrets.prod.yaml
    secrets.env secrets.json.bak token.json token.pickle hf_token hf_token.txt api_key.txt apikey api_keys.json
    access_token.json github_token.txt wandb_key.txt auth-token
"""
OTHER_FILES = """
    train_secrets_of_pasta.py secrets.py secret.py credentials.py test_credentials.py secret_santa.csv secrets_of_rome.json
    secrets.md secrets.csv secrets.txt my_secrets_dataset.parquet secretary.json
    tokenizer.json tokenizer_config.json tokens.json tokens.txt special_tokens_map.json added_tokens.json token_counts.json
    token.py token.csv token tokens/a.json api_keys.py api_token_parser.py auth_token.py
    id_rsa.pub id_ed25519.pub id_rsa.pub.bak id_rsa-cert.pub id_rsa.py .ssh/id_rsa.pub .ssh/known_hosts .ssh/config
    .ssh/known_hosts.old .ssh/authorized_keys key.pem.pub key.pem.example key.pem.md ca.pem.gitmlog pem.py
    .env.example .env.sample .env.template env.py environment.yml .envrc
    config.json docker/config.json config kube/config data.key.npy layer.key.weight.bin keys.json key.json monkey keyboard.json
    primary.keys ssh.md known_hosts rclone.md boto.py kaggle.py kaggle.csv kaggle_submission.json hosts.yml
    model.gpg data.csv.gpg credentials_test.go service.json account.json accounts.json service_accounting.csv
    rsa.py id_card.json id_rsa_utils.py credentialsform.tsx mycredentials.md api.json access.json train.py README.md
    huggingface/tokenizer.json gnupg/README .gitignore .npmignore pip.conf
"""


@pytest.mark.parametrize("path", SECRET_FILES.split())
def test_files_that_hold_secrets(path: str) -> None:
    assert is_secret_file(path)


@pytest.mark.parametrize("path", OTHER_FILES.split())
def test_files_that_hold_none(path: str) -> None:
    assert not is_secret_file(path)


@pytest.mark.parametrize("part", ["a", "-", ".pem", "credentials", "service_account", ".ssh/", "id_rsa.", ".bak", "~", "_"])
def test_a_hostile_name_of_a_file_costs_no_time(part: str) -> None:
    began = time.perf_counter()
    for path in (part * 20_000, f"{part * 20_000}!", f"id_rsa{part * 5_000}x/y", f"x.pem.{part * 5_000}"):
        is_secret_file(path)
    assert time.perf_counter() - began < 0.5
