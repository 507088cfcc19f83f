"""What went wrong with a remote, whatever library said it (spec: remote.md, Errors)."""

from __future__ import annotations

import errno
import re
import socket
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from gitmlog.core.digest import ObjectId
from gitmlog.core.errors import DataError, GitmlogError, RemoteError

_HINTS = {
    "remote-auth": "check the credentials and what they may do: `gitmlog help remotes`",
    "remote-busy": "wait a while, then run the command again: what was transferred is kept; fewer `--jobs` help too",
    "remote-full": "free space or raise the quota there, then run the command again: what was sent is kept",
    "remote-host-key": "compare the server's key with one you trust, then add it to known_hosts (logging in once by `ssh` does)",
    "remote-missing": "check the URL and that the bucket exists, or that the folder is mounted",
    "remote-read-only": "choose a remote that can be written to: `gitmlog remote add`",
    "remote-unreachable": "check the network, the host and the port, then run the command again: what was transferred is kept",
    "remote-region": "set the bucket's region: `gitmlog config --shared remote.NAME.region …`",
    "missing-extra": "install it",
}

_SAYS = {
    "remote-auth": "refused the credentials or the permission",
    "remote-busy": "kept answering that it is busy",
    "remote-full": "has no space left",
    "remote-host-key": "has a host key that is not in known_hosts",
    "remote-missing": "is not there: no such bucket or folder",
    "remote-read-only": "cannot be written to",
    "remote-unreachable": "cannot be reached",
    "remote-region": "is in another region",
    "remote": "failed",
}

_CLOUDS = {"Generic S3 error": "S3", "Generic GCS error": "Google", "Generic MicrosoftAzure error": "Azure"}
_PLACES = {
    "S3": "they are looked for in remote.NAME.access_key and .secret_key (`gitmlog config --local`), remote.NAME.profile,"
    " AWS_ACCESS_KEY_ID, the default profile of ~/.aws, and the machine's role: `gitmlog help remotes`",
    "Google": "they are looked for in remote.NAME.credentials (`gitmlog config --local`), GOOGLE_APPLICATION_CREDENTIALS,"
    " what `gcloud auth application-default login` left, and the machine's account: `gitmlog help remotes`",
    "Azure": "they are looked for in remote.NAME.account_key and .sas_token (`gitmlog config --local`), AZURE_STORAGE_ACCOUNT_KEY"
    " and its companions, and the machine's identity: `gitmlog help remotes`",
}
_LONGEST = 160
_ASKED = re.compile(
    r"(Generic \w+ error: )?Error performing (?P<what>\w+ \S+) in [\d.]+\S*( after \d+ retries,)?"
    r"( max_retries: \d+,)?( retry_timeout: \S+)?\s+- (?P<cause>.*)"
)
_PREAMBLE = re.compile(r"^(HTTP error: |Server returned non-2xx status code: )")

_BY_ERRNO = {
    errno.ENOSPC: "remote-full",
    errno.EDQUOT: "remote-full",
    errno.EROFS: "remote-read-only",
    errno.EACCES: "remote-auth",
    errno.EPERM: "remote-auth",
    errno.ENOTDIR: "remote-missing",
    errno.ETIMEDOUT: "remote-unreachable",
    errno.EHOSTUNREACH: "remote-unreachable",
    errno.ENETUNREACH: "remote-unreachable",
    errno.EHOSTDOWN: "remote-unreachable",
    errno.ESTALE: "remote-unreachable",
}

_BY_TYPE = {
    "PermissionDeniedError": "remote-auth",
    "UnauthenticatedError": "remote-auth",
    "PermissionDenied": "remote-auth",
    "SFTPPermissionDenied": "remote-auth",
    "KeyImportError": "remote-auth",
    "NoCredentialsError": "remote-auth",
    "ProfileNotFound": "remote-auth",
    "RefreshError": "remote-auth",
    "DefaultCredentialsError": "remote-auth",
    "HostKeyNotVerifiable": "remote-host-key",
    "SFTPNoSpaceOnFilesystem": "remote-full",
    "SFTPQuotaExceeded": "remote-full",
    "SFTPWriteProtect": "remote-read-only",
    "ConnectionLost": "remote-unreachable",
    "DisconnectError": "remote-unreachable",
    "SFTPConnectionLost": "remote-unreachable",
    "SFTPNoConnection": "remote-unreachable",
    "ProtocolError": "remote-unreachable",
    "KeyExchangeFailed": "remote-unreachable",
    "FSTimeoutError": "remote-unreachable",
    "ClientConnectorError": "remote-unreachable",
    "ClientError": "remote-unreachable",
}

_CUT = (
    r"kind: (Connect|Timeout|Request|Decode|Interrupted|Unknown)|error sending request|timed? ?out|TimedOut|dns error|SendRequest"
    r"|[Cc]onnection (refused|reset|closed|lost)|Cannot connect|IncompleteMessage|error decoding response body"
)

_BY_TEXT = (
    (r"NoSuchBucket|ContainerNotFound|ContainerBeingDeleted|bucket does not exist|bucket not found", "remote-missing"),
    (r"QuotaExceeded|InsufficientStorage|StorageFull|EntityTooLarge|\b507 ", "remote-full"),
    (r"AuthorizationHeaderMalformed|PermanentRedirect|\b301 Moved|IllegalLocationConstraint", "remote-region"),
    (r"\b40[13] |InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|[Cc]redential|Forbidden|Unauthorized", "remote-auth"),
    (r"\b(429|500|502|503|504) |SlowDown|TooManyRequests|ServerBusy", "remote-busy"),
    (r"\b405 ", "remote-read-only"),
    (r"non-2xx status code: 4\d\d", "remote"),
    (_CUT, "remote-unreachable"),
)


def kind_of(error: BaseException) -> str:
    """The family that an exception of any library belongs to: a kind of the specification's table, or `remote`."""
    names = {kind.__name__ for kind in type(error).__mro__}
    for name, kind in _BY_TYPE.items():
        if name in names:
            return kind
    if isinstance(error, OSError) and error.errno in _BY_ERRNO:
        return _BY_ERRNO[error.errno]
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror):
        return "remote-unreachable"
    if isinstance(error, PermissionError):
        return "remote-auth"
    text = f"{getattr(error, 'code', '')} {error}"
    return next((kind for pattern, kind in _BY_TEXT if re.search(pattern, text)), "remote")


def is_gone(error: BaseException) -> bool:
    """Whether an object, not the whole remote, is what was not found."""
    missing = isinstance(error, FileNotFoundError) or type(error).__name__ in ("SFTPNoSuchFile", "SFTPNoSuchPath")
    return missing and kind_of(error) != "remote-missing"


def remote_error(remote: str, error: BaseException) -> RemoteError:
    """An error of some library as one of ours. Never shows a URL's query, which may be a signature."""
    if cloud := _without_credentials(str(error)):
        return RemoteError(f"no {cloud} credentials were found for remote {remote}", kind="remote-auth", hint=_PLACES[cloud])
    kind = kind_of(error)
    detail = _detail(error)
    message = f"remote {remote} {_SAYS[kind]}" + (f" ({detail})" if detail else "")
    return RemoteError(message, kind=kind, hint=_HINTS.get(kind, "run the command again; `gitmlog doctor` checks the remote"))


def plain_error(remote: str, kind: str, *, hint: str = "") -> RemoteError:
    """An error of one of the families, without a library's words."""
    return RemoteError(f"remote {remote} {_SAYS[kind]}", kind=kind, hint=hint or _HINTS[kind])


def missing_extra(remote: str, extra: str) -> RemoteError:
    """The packages for this kind of URL are not installed."""
    message = f"remote {remote} needs Python packages that are not installed"
    return RemoteError(message, kind="missing-extra", hint=f"python -m pip install 'gitmlog[{extra}]'")


def damaged_here(oid: ObjectId) -> DataError:
    """What would have been sent is not what its name says."""
    return DataError(f"object {oid} is damaged on this machine", hint="run `gitmlog verify --repair`")


def wrong_size(oid: ObjectId, size: int, expected: int) -> DataError:
    """The remote holds another number of bytes than it should."""
    hint = "`gitmlog verify --remote --repair` sends it again from a machine that has it"
    return DataError(f"object {oid} is damaged: it has {size} bytes on the remote instead of {expected}", hint=hint)


@contextmanager
def remote_errors(remote: str) -> Iterator[None]:
    """Turn what a library raises into RemoteError; a missing object stays FileNotFoundError, our own errors stay themselves."""
    try:
        yield
    except GitmlogError:
        raise
    except Exception as error:
        # six libraries, no common base
        if is_gone(error):
            raise FileNotFoundError(errno.ENOENT, "no such object on the remote") from error
        raise remote_error(remote, error) from error


def _without_credentials(text: str) -> str:
    """The cloud whose libraries asked the machine itself for credentials, the last place to look, and got none; or ""."""
    if not re.search(r"performing \w+ https?://(169\.254\.1|\[fd00:ec2|metadata\.google\.internal)", text):
        return ""
    return next((name for sign, name in _CLOUDS.items() if sign in text), "")


def _detail(error: BaseException) -> str:
    """The cause first, then what was asked for; cut between words."""
    whole = str(error).strip()
    text = re.split(r"\n\s*Debug source|\n", whole, maxsplit=1)[0]
    if code := re.search(r"<Code>(\w+)</Code>", whole):
        text = code[1]
    elif asked := _ASKED.match(text):
        system = re.search(r'Os \{[^}]*message: "([^"]+)"', whole)
        text = f"{system[1] if system else _PREAMBLE.sub('', asked['cause']).rstrip(': ')}: {asked['what']}"
    text = re.sub(r"^Generic \w+ error: ", "", text)
    text = re.sub(r"https?://\S+", lambda found: found[0].split("?")[0].split("#")[0], text)
    return textwrap.shorten(re.sub(r"[^\x20-\x7e\xa0-\uffff]+", " ", text), _LONGEST, placeholder=" …")
