"""Where messages to people go: the table [notify] of ingest.toml.

[notify.email]
host = "mail.example.org"
sender = "palier@example.org"
to = ["atelier@example.org"]
username = "palier"
password_file = "smtp_password"

[notify.webhook]
url = "https://example.org/hooks/palier"
token_file = "webhook_token"
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from palier.locale import LANGUAGES
from palier.settings import is_loopback, secret_text

_ADDRESS: Final = re.compile(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+")


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text) or not text.isprintable():
        raise ValueError(f"must be an address like atelier@example.org, got {text!r}")
    return text


def _language(text: str) -> str:
    if text not in LANGUAGES:
        raise ValueError(f"lang must be one of {', '.join(LANGUAGES)}, got {text!r}")
    return text


Address = Annotated[str, AfterValidator(_address)]
Language = Annotated[str, AfterValidator(_language)]


class EmailSettings(BaseModel):
    """A mail server that takes messages, and who gets them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(min_length=1)
    sender: Address
    to: tuple[Address, ...] = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="starttls: port 587; tls: port 465; none: a server on this machine"
    )
    username: str | None = None
    password: SecretStr | None = Field(default=None, description="for the environment; a file is better")
    password_file: Path | None = None
    ca_file: Path | None = Field(default=None, description="authority of its certificate, in PEM")
    insecure: bool = Field(default=False, description="allow plain text to a server on another machine")
    lang: Language = "fr"

    @model_validator(mode="after")
    def _no_plain_text_abroad(self) -> EmailSettings:
        if self.security == "none" and not self.insecure and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host!r} is another machine, and without TLS anybody between can read: "
                'give security = "starttls", or insecure = true to accept that'
            )
        return self

    def password_text(self) -> str | None:
        """The password itself. Raises ConfigError when its file can't be read or is empty."""
        return secret_text(self.password, self.password_file, "password")


class WebhookSettings(BaseModel):
    """An address that takes a JSON object for each message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    token: SecretStr | None = Field(default=None, description="for the environment; a file is better")
    token_file: Path | None = Field(default=None, description="sent as Authorization: Bearer")
    ca_file: Path | None = Field(default=None, description="authority of its certificate, in PEM")
    insecure: bool = Field(default=False, description="allow plain text to another machine")
    lang: Language = "fr"

    @model_validator(mode="after")
    def _is_an_address(self) -> WebhookSettings:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not self.url.isprintable():
            raise ValueError("url must be http(s)://HOST[:PORT]/PATH")
        if parts.username is not None or parts.password is not None:
            raise ValueError("url must hold no password: give token_file")
        if parts.scheme == "http" and not self.insecure and not is_loopback(parts.hostname):
            raise ValueError(
                f"{parts.hostname} is another machine, and without TLS anybody between can read and forge: "
                "give https, or insecure = true to accept that"
            )
        return self

    def token_text(self) -> str | None:
        """The token itself. Raises ConfigError when its file can't be read or is empty."""
        return secret_text(self.token, self.token_file, "token")


class NotifySettings(BaseModel):
    """Who is told of alarms outside of the page. Nobody, when left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: EmailSettings | None = None
    webhook: WebhookSettings | None = None
