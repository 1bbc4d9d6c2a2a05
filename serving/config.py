"""The service's settings: `SERVING_*` environment variables, read once, frozen and strict."""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

PREFIX = "SERVING_"
PARAMS_FILE = "params.yaml"

Text = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class ConfigError(Exception):
    """Settings that cannot be used, with the variable and the reason in one sentence."""


def _variable(field: str) -> str:
    return PREFIX + field.upper()


class Settings(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename=_variable
):
    """What is served, and where; `max_body` is in bytes."""

    model: Text
    stage: Text = "production"
    store: Path = Path("model_store")
    host: Text = "127.0.0.1"
    port: Port = 8000
    workers: Count = 2
    threads: Count = 4
    max_rows: Count = 10_000
    max_body: Count = 16 * 1024 * 1024

    @property
    def address(self) -> str:
        """Give host and port as a URL and a bind address have them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def to_variables(self) -> dict[str, str]:
        fields = msgspec.structs.fields(self)
        return {field.encode_name: str(getattr(self, field.name)) for field in fields}


class _Params(msgspec.Struct):
    name: Text


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the `SERVING_*` variables of `environ` (the process's own by default).

    Raises ConfigError for an unknown variable, a bad value, and a model that nothing names.
    """
    source = os.environ if environ is None else environ
    given: dict[str, Any] = {k: v for k, v in source.items() if k.startswith(PREFIX)}
    _refuse_unknown(given)
    # A checkout names its model already; an installation elsewhere has to.
    if _variable("model") not in given:
        given[_variable("model")] = _name_in_params(Path(PARAMS_FILE))
    try:
        return msgspec.convert(given, Settings, strict=False, dec_hook=_to_path)
    except msgspec.ValidationError as error:
        raise ConfigError(_sentence(str(error), given)) from error


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


def _sentence(message: str, given: Mapping[str, Any]) -> str:
    found = re.search(rf"{PREFIX}\w+", message)
    variable = found.group() if found else PREFIX + "*"
    expected = message.split(" - at ")[0].split(", got ")[0]
    return f"{variable} is `{given.get(variable)}`: {expected[:1].lower()}{expected[1:]}"
