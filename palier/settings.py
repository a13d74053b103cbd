"""What the settings of ingest and console share: TOML file and environment, and how their logs look.

class IngestSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="PALIER_INGEST_")
    plant: Path
    data: Path

settings = load_settings(IngestSettings, Path("ingest.toml"))
"""

from __future__ import annotations

import functools
import ipaddress
import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from .clock import PlantClock
from .secret_files import open_to_all
from .strict_toml import ConfigError, Document, Mistake, did_you_mean, parse_toml, read_toml

_NESTED: Final = "__"
_NO_FILE: Final = "settings"
_SECRETS: Final = ("password", "token", "secret")
_ACCOUNT: Final = re.compile(r"//[^/\s]*@")  # in a URL


Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 takes a free one."""


class BrokerSettings(BaseModel):
    """The broker. One on another machine needs `tls_ca` and an account, or `insecure = true` as somebody's
    decision.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=1883, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = Field(
        default=None, description="for the environment; a password_file is better"
    )
    password_file: Path | None = None
    tls_ca: Path | None = Field(default=None, description="certificate authority in PEM; turns TLS on")
    insecure: bool = Field(
        default=False, description="allow a broker on another machine without TLS or without an account"
    )

    @model_validator(mode="after")
    def _no_open_broker_abroad(self) -> BrokerSettings:
        if not self.insecure and not is_loopback(self.host):
            self._must_be_secure()
        if self.password is not None and self.password_file is not None:
            raise ValueError("password and password_file must not both be given")
        return self

    def _must_be_secure(self) -> None:
        if self.tls_ca is None:
            raise ValueError(
                f"host {self.host!r} is another machine, and without TLS anybody between can read and forge: "
                "give tls_ca, or insecure = true to accept that"
            )
        if self.username is None or (self.password is None and self.password_file is None):
            raise ValueError(
                f"host {self.host!r} is another machine, and a broker that takes us without an account takes "
                "anybody: give username and password_file (`palier provision` makes them), or insecure = "
                "true to accept that"
            )

    def password_text(self) -> str | None:
        """The password itself. Raises ConfigError when its file can't be read or is empty."""
        return secret_text(self.password, self.password_file, "password")


def secret_text(given: SecretStr | None, file: Path | None, what: str) -> str | None:
    """A secret as it was given, or as its file holds it; one that everybody may read is warned of.

    Raises ConfigError for a file that can't be used.
    """
    if file is None:
        return None if given is None else given.get_secret_value()
    try:
        text = file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(file, (Mistake(None, f"can't be read: {error}"),)) from error
    if not text:
        raise ConfigError(file, (Mistake(None, f"must hold the {what}, and is empty"),))
    if warning := open_to_all(file):
        _warn_once(warning)
    return text


@functools.cache
def _warn_once(sentence: str) -> None:
    """In the log. Secrets are read again at each connection, and once is enough."""
    logging.getLogger(__name__).warning(sentence)


class ClockSettings(BaseModel):
    """The plant clock; all services that share a plant time get the same three values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start_ns: int | None = Field(default=None, ge=0)
    wall_start_ns: int | None = Field(default=None, ge=0)
    rate: float = Field(default=1.0, gt=0, allow_inf_nan=False)

    def plant_clock(self) -> PlantClock:
        """The clock these settings describe."""
        if self.wall_start_ns is None:
            return PlantClock(self.start_ns, self.rate)
        return PlantClock(self.start_ns, self.rate, self.wall_start_ns)


class ServiceSettings(BaseSettings):
    """Base of a service's settings. A subclass sets `model_config = SettingsConfigDict(env_prefix=...)`.

    The environment (PALIER_INGEST_DATA, PALIER_INGEST_BROKER__HOST, ...) wins over the file.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_nested_delimiter=_NESTED)

    clock: ClockSettings = ClockSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file; nothing else, so that there is one place to look."""
        return env_settings, init_settings


S = TypeVar("S", bound=ServiceSettings)


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_settings(settings: type[S], file: Path | None, *, insecure: bool = False) -> S:
    """Settings from environment over file over defaults. Relative paths in the file are relative to it.

    `insecure` is what `--insecure` says: as `insecure = true` in [broker].
    Raises ConfigError with every mistake (file and line, or the variable's name).
    """
    document = parse_toml("", _NO_FILE) if file is None else read_toml(file)
    data = document.data if file is None else _resolved(document.data, settings, file.parent)
    unknown = _unknown_variables(settings)
    if insecure:
        data = _with_insecure(data)
    try:
        loaded = settings(**data)
    except SettingsError as error:
        raise ConfigError("environment", (*unknown, Mistake(None, str(error)))) from error
    except ValidationError as error:
        for problem in error.errors():
            _note(document, settings, problem)
        document.mistakes.extend(unknown)
        document.refuse()
        raise
    if unknown:
        raise ConfigError("environment", unknown)
    return loaded


def _with_insecure(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same with [broker] insecure = true; a broker that is no table is told as such."""
    broker = data.get("broker", {})
    return {**data, "broker": {**broker, "insecure": True} if isinstance(broker, dict) else broker}


def settings_text(settings: BaseSettings) -> str:
    """The settings in force as TOML, secrets masked: what `--print-config` prints."""
    return "\n".join(_toml_lines(settings.model_dump(mode="json"))) + "\n"


def _toml_lines(table: Mapping[str, Any], name: str = "") -> Iterator[str]:
    if name:
        yield f"\n[{name}]"
    for key, value in table.items():
        if value is None:
            yield f"# {key} is not set"
        elif not isinstance(value, dict):
            yield f"{key} = {json.dumps(value, ensure_ascii=False)}"  # JSON scalars and arrays are TOML
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _toml_lines(value, f"{name}.{key}" if name else key)


def _resolved(data: Mapping[str, Any], model: type[BaseModel], folder: Path) -> dict[str, Any]:
    """The same data with paths relative to the file's folder made whole."""
    out = dict(data)
    for key, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        value = out.get(key)
        if Path in kinds and isinstance(value, str) and value:
            out[key] = folder / Path(value).expanduser()
        elif isinstance(value, dict) and (model_below := _model(field.annotation)):
            out[key] = _resolved(value, model_below, folder)
    return out


def _variables(settings: type[BaseSettings]) -> Mapping[str, tuple[str, ...]]:
    """Every environment variable of a service, and the key it sets."""
    prefix = settings.model_config.get("env_prefix", "")
    return {(prefix + _NESTED.join(path)).upper(): path for path in _key_paths(settings)}


def _key_paths(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    for key, field in model.model_fields.items():
        yield (key,)
        if model_below := _model(field.annotation):
            yield from ((key, *rest) for rest in _key_paths(model_below))


def _model(annotation: object) -> type[BaseModel] | None:
    """The model behind a table, also behind one that may be left out."""
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _unknown_variables(settings: type[BaseSettings]) -> tuple[Mistake, ...]:
    known = _variables(settings)
    prefix = settings.model_config.get("env_prefix", "").upper()
    return tuple(
        Mistake(None, f"unknown environment variable {name}{did_you_mean(name, known)}")
        for name in sorted(os.environ)
        if prefix and name.upper().startswith(prefix) and name.upper() not in known
    )


def _note(document: Document, settings: type[BaseSettings], problem: Mapping[str, Any]) -> None:
    """One of pydantic's errors as a sentence of ours, at its line or its variable."""
    path = tuple(part for part in problem["loc"] if isinstance(part, str | int))
    if problem["type"] == "extra_forbidden" and path not in document.lines:
        return  # came with an unknown variable, which is told as such
    key = str(path[-1]) if path else "settings"
    text = _sentence(key, path, problem, settings)
    names = {where: name for name, where in _variables(settings).items()}
    variable = names.get(tuple(map(str, path)))
    if variable in {name.upper() for name in os.environ} and problem["type"] != "missing":
        document.mistakes.append(Mistake(None, f"environment variable {variable}: {text}"))
    else:
        if document.file == _NO_FILE and problem["type"] == "missing":
            text += f": name a file with --config FILE, or set {variable}"
        document.mistake(path, text)


def _sentence(
    key: str, path: tuple[str | int, ...], problem: Mapping[str, Any], settings: type[BaseSettings]
) -> str:
    table = ".".join(map(str, path[:-1]))
    where = f" in [{table}]" if table else ""
    match problem["type"]:
        case "missing":
            return f"{key} is missing{where}"
        case "extra_forbidden":
            siblings = [p[-1] for p in _key_paths(settings) if p[:-1] == path[:-1]]
            return f"unknown key {key!r}{where}{did_you_mean(key, siblings)}"
        case "value_error":
            return str(problem["ctx"]["error"])
    told = re.sub(r"^\w+ should ", f"{key} must ", str(problem["msg"]))
    hidden = any(word in key for word in _SECRETS) or _ACCOUNT.search(str(problem["input"]))
    return told if hidden else f"{told}, got {problem['input']!r}"


def configure_logging(service: str, *, level: int = logging.INFO) -> None:
    """structlog and stdlib logging to stderr: colour on a terminal, otherwise a JSON object a line.

    Every line carries `service`, level and UTC time. NO_COLOR is respected.
    """
    import structlog

    def name_service(
        logger: object, method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        return {"service": service, **event}

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
    ]
    terminal = sys.stderr.isatty()
    # Drawn with the values of all variables a traceback of a large state takes seconds.
    plain = structlog.dev.plain_traceback
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors="NO_COLOR" not in os.environ, exception_formatter=plain)]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
