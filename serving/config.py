"""The service's settings: `SERVING_*` environment variables, read once, frozen and strict."""

import difflib
import ipaddress
import os
import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_origin

import msgspec

from serving.hosts import read_host, read_origin
from serving.receipts.signing import signing_key

PREFIX = "SERVING_"
PARAMS_FILE = "params.yaml"

# What Kubernetes names after a Service: kubernetes.io, "Service", "Environment variables".
SERVICE_LINK = re.compile(
    rf"{PREFIX}(?:\w+_)?(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|"
    r"PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
LINK = re.compile(r"(?:tcp|udp|sctp)://\S+")

Text = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConfigError(Exception):
    """Settings that cannot be used, with the variable and the reason in one sentence."""


def _variable(field: str) -> str:
    return PREFIX + field.upper()


class Settings(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename=_variable
):
    """The service's settings; `max_body` and `load_memory` are in bytes, times in seconds.

    `concurrency` is the requests that one worker answers at once; what comes on top is refused.
    `max_explained` are rows, `max_products` the products of kernels that explaining them may take.
    """

    model: Text
    stage: Text = "production"
    store: Path = Path("model_store")
    sync_interval: Seconds = 10.0
    sync_timeout: Seconds = 60.0
    load_timeout: Seconds = 30.0
    load_memory: Count = 2 * 1024**3
    require_gates: bool = True
    allow_forced: bool = False
    host: Text = "127.0.0.1"
    port: Port = 8000
    workers: Count = 2
    concurrency: Count = 32
    api_keys_file: Path | None = None
    allow_anonymous: bool = False
    trusted_hosts: tuple[Text, ...] = ()
    trusted_proxies: tuple[Text, ...] = ()
    cors_origins: tuple[Text, ...] = ()
    max_rows: Count = 10_000
    max_body: Count = 16 * 1024 * 1024
    max_explained: Count = 100
    max_products: Count = 1_000_000_000
    deadline: Seconds = 30.0
    grace: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 30
    pages: bool = True

    @property
    def sync_limit(self) -> float:
        """Return how long a look at the registry may take, with the trial of a version."""
        return self.sync_timeout + self.load_timeout

    @property
    def report_due(self) -> float:
        """Return how old the follower's last report may be, while all is well."""
        return 2 * self.sync_interval + self.sync_limit + 5

    @property
    def address(self) -> str:
        """Return host and port as a URL and a bind address have them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def proxies(self) -> tuple[Network, ...]:
        """Return the networks that are trusted to name a client's address."""
        return tuple(ipaddress.ip_network(each) for each in self.trusted_proxies)

    def to_variables(self) -> dict[str, str]:
        """Return the variables that set it so; those of settings that are unset are left out."""
        values = {f.encode_name: getattr(self, f.name) for f in msgspec.structs.fields(self)}
        return {name: _format_value(value) for name, value in values.items() if value is not None}


class _Params(msgspec.Struct):
    name: Text


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the `SERVING_*` variables of `environ` (the process's own by default).

    Raises ConfigError for an unknown variable, a bad value, and a model that nothing names.
    """
    source = os.environ if environ is None else environ
    given: dict[str, Any] = {
        name: value
        for name, value in source.items()
        if name.startswith(PREFIX) and not _is_service_link(name, value)
    }
    _refuse_unknown(given)
    # A checkout names its model already; an installation elsewhere has to.
    if _variable("model") not in given:
        given[_variable("model")] = _name_in_params(Path(PARAMS_FILE))
    words = {name: _split(value) if name in LISTS else value for name, value in given.items()}
    try:
        settings = msgspec.convert(words, Settings, strict=False, dec_hook=_to_path)
    except msgspec.ValidationError as error:
        raise ConfigError(_sentence(str(error), given)) from error
    return msgspec.structs.replace(
        settings,
        trusted_hosts=_each("trusted_hosts", read_host, settings.trusted_hosts),
        trusted_proxies=_each("trusted_proxies", _checked_network, settings.trusted_proxies),
        cors_origins=_each("cors_origins", read_origin, settings.cors_origins),
    )


def read_signing_key(environ: Mapping[str, str] | None = None) -> bytes | None:
    """Return the key that versions must be signed with, None where signatures do not matter.

    Raises ConfigError for one that is too short.
    """
    try:
        return signing_key(os.environ if environ is None else environ)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def registry_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return MLflow's own variables, which say where the registry is; what is secret is masked."""
    given = {name: environ[name] for name in sorted(environ) if name.startswith("MLFLOW_")}
    return {
        name: "***" if re.search("PASSWORD|TOKEN|SECRET|KEY", name) else without_password(value)
        for name, value in given.items()
    }


def without_password(text: str) -> str:
    """Hide what a URI may hold between `://` and `@`."""
    return re.sub(r"://[^@/\s]*@", "://***@", text)


def check_exposure(settings: Settings) -> None:
    """Raise ConfigError for a service that anyone on the network could use, unmeant."""
    if settings.api_keys_file or settings.allow_anonymous or _is_loopback(settings.host):
        return
    raise ConfigError(
        f"{_variable('host')} is `{settings.host}`, which others can reach, and there are no keys: "
        f"set {_variable('api_keys_file')} (python -m serving keys add --help), or "
        f"{_variable('allow_anonymous')}=1 to let everyone in"
    )


def _is_loopback(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(each[4][0]).split("%")[0]).is_loopback for each in found)


def _each(field: str, read: Callable[[str], str], words: tuple[str, ...]) -> tuple[str, ...]:
    """Return each word of a list as it is compared; `read` raises ValueError with a sentence."""
    try:
        return tuple(map(read, words))
    except ValueError as error:
        raise ConfigError(f"{_variable(field)}: {error}") from error


def _checked_network(text: str) -> str:
    ipaddress.ip_network(text)
    return text


def _is_service_link(name: str, value: str) -> bool:
    """True if Kubernetes sets a variable so in each pod, for a Service called `serving...`.

    Raises ConfigError where it stands in the place of a setting.
    """
    is_link = SERVICE_LINK.fullmatch(name) or (name.endswith("_PORT") and LINK.fullmatch(value))
    if is_link and name == _variable("port"):
        raise ConfigError(
            f"{name} is `{value}`, which Kubernetes sets for a Service called `serving`: put "
            "`enableServiceLinks: false` into the pod's spec, or set the variable to a port there"
        )
    return bool(is_link)


def _refuse_unknown(given: Mapping[str, Any]) -> None:
    known = [field.encode_name for field in msgspec.structs.fields(Settings)]
    unknown = sorted(given.keys() - set(known))
    if unknown:
        # Without the prefix, which would make every name a near one.
        ours = {name.removeprefix(PREFIX): name for name in known}
        near = difflib.get_close_matches(unknown[0].removeprefix(PREFIX), ours, n=1)
        hint = f"do you mean {ours[near[0]]}?" if near else f"known are {', '.join(known)}"
        raise ConfigError(f"{', '.join(unknown)}: no such setting; {hint}")


def _name_in_params(path: Path) -> str:
    variable = _variable("model")
    if not path.is_file():
        raise ConfigError(
            f"{variable} is not set: give the name of the registered model to serve "
            f"(there is no {path} here to take it from)"
        )
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=_Params).name
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{variable} is not set, and {path} gives no `name` for it") from error


def _to_path(kind: type[Any], value: Any) -> Path:
    if kind is not Path or not value:
        raise ValueError("expected a path")
    return Path(value)


def _split(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def _format_value(value: Any) -> str:
    """Write a value as its variable would be set."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


LISTS = {
    field.encode_name
    for field in msgspec.structs.fields(Settings)
    if get_origin(field.type) is tuple
}


def _sentence(message: str, given: Mapping[str, Any]) -> str:
    found = re.search(rf"{PREFIX}\w+", message)
    variable = found.group() if found else PREFIX + "*"
    expected = message.split(" - at ")[0].split(", got ")[0]
    return f"{variable} is `{given.get(variable)}`: {expected[:1].lower()}{expected[1:]}"
