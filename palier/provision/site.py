"""What is true of the whole folder: its site, its gateways, and the texts that follow from them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from palier.frames import NAME_PATTERN

from . import access
from .accounts import SecretError, password_file, read_secret
from .files import Folder, ProvisionError
from .layout import (
    ACL,
    AUTHORITY_CERTIFICATE,
    AUTHORITY_KEY,
    BROKER_AUTHORITY,
    BROKER_NAMES,
    BROKER_PORT,
    CONFIGURATION_KEY,
    CONFIGURATION_PUBLIC,
    GATEWAY_FILES,
    GATEWAYS,
    HEALTH,
    HEALTH_OPTIONS,
    LOOPBACK,
    MANIFEST,
    PASSWORDS,
    SECRET_FILES,
    SERVER_CERTIFICATE,
    SERVER_KEY,
    SERVICE_ACCOUNTS,
    accounts,
    gateway_file,
    wrong_gateway,
)

VERSION: Final = 1
"""Of the folder's layout."""

RESTORE_MANIFEST: Final = (
    f'restore it, or write {{"version": {VERSION}, "site": "SITE", "host_id": "palier"}} there with the '
    "site of plant.toml"
)

SNIPPET: Final = """\
# The broker for gateway {node}. Made by `palier provision`, and made anew by it when it runs again.
# Copy ca.crt, password and configuration.pub beside agent.toml (password readable by the agent alone), these
# tables into it, and above its first table:
#   site = "{site}"
#   node = "{node}"
#   host_id = "{host_id}"
[broker]
host = "{host}"
port = {port}
username = "{node}"
password_file = "password"
tls_ca = "ca.crt"

# Who may configure this gateway from afar (`palier gateway configure`): copy configuration.pub, too. Without
# this table nobody may.
[configuration]
key_file = "configuration.pub"
"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Whose folder this is. `host_id` is the ingest's, whose STATE the gateways may read."""

    site: str
    host_id: str

    def text(self) -> bytes:
        """As it stands in MANIFEST."""
        told = {"version": VERSION, "site": self.site, "host_id": self.host_id}
        return (json.dumps(told) + "\n").encode()


def read_manifest(folder: Folder) -> Manifest | None:
    """Whose folder this is, None where nothing was made yet. Raises ProvisionError."""
    content = folder.read(MANIFEST)
    if content is None:
        return None
    try:
        told = json.loads(content)
        manifest, version = Manifest(str(told["site"]), str(told["host_id"])), told["version"]
        if not (NAME_PATTERN.fullmatch(manifest.site) and NAME_PATTERN.fullmatch(manifest.host_id)):
            raise ValueError("a site and a host id are names")
    except (ValueError, KeyError, TypeError):
        raise ProvisionError(
            f"{folder.path / MANIFEST} is not what `palier provision` wrote: {RESTORE_MANIFEST}"
        ) from None
    if version != VERSION:
        raise ProvisionError(
            f"{folder.path} has version {version!r} of the layout and this Palier knows {VERSION}: use the "
            "Palier that made it, or a newer one"
        )
    return manifest


def gateways_of(folder: Folder) -> tuple[str, ...]:
    """The gateways that have a folder. Raises ProvisionError for one that can't be a gateway's."""
    nodes = folder.subfolders(GATEWAYS)
    for node in nodes:
        if sentence := wrong_gateway(node):
            raise ProvisionError(f"{folder.path / GATEWAYS / node} must not be there: {sentence}")
    return nodes


def expected_files(gateways: tuple[str, ...]) -> tuple[str, ...]:
    """Every file of a folder with these gateways."""
    return (
        MANIFEST,
        AUTHORITY_CERTIFICATE,
        AUTHORITY_KEY,
        CONFIGURATION_PUBLIC,
        CONFIGURATION_KEY,
        BROKER_AUTHORITY,
        SERVER_CERTIFICATE,
        SERVER_KEY,
        PASSWORDS,
        ACL,
        HEALTH_OPTIONS,
        *SECRET_FILES,
        *(gateway_file(node, name) for node in gateways for name in GATEWAY_FILES),
    )


def secret_of(folder: Folder, name: str) -> str:
    """The secret in a file. Raises ProvisionError where there is none; its sentence does not hold it."""
    content = folder.read(name)
    if content is None:
        raise ProvisionError(f"{folder.path / name} is missing")
    try:
        return read_secret(content)
    except SecretError as error:
        raise ProvisionError(
            f"{folder.path / name} {error}: correct it, or remove it and run again for a new one"
        ) from None


def gateways_host(names: tuple[str, ...]) -> str:
    """Where gateways look for the broker: the first name that was given, else on themselves."""
    return next((name for name in names if name not in BROKER_NAMES), LOOPBACK)


def derived(
    folder: Folder, manifest: Manifest, gateways: tuple[str, ...], names: tuple[str, ...]
) -> dict[str, bytes]:
    """The files that follow from others, and what they must hold. `names`: of the broker's certificate.

    Secrets and the authority's certificate must be there. Raises ProvisionError.
    """
    authority = folder.read(AUTHORITY_CERTIFICATE) or b""
    granted = access.grants(manifest.site, manifest.host_id, gateways)
    passwords = {account: secret_of(folder, file) for account, file in accounts(gateways).items()}
    before = (folder.read(PASSWORDS) or b"").decode(errors="replace")
    host = gateways_host(names)
    files = {
        BROKER_AUTHORITY: authority,
        PASSWORDS: password_file(passwords, before).encode(),
        ACL: access.acl_text(manifest.site, granted).encode(),
        HEALTH_OPTIONS: f"-u {HEALTH}\n-P {secret_of(folder, SERVICE_ACCOUNTS[HEALTH])}\n".encode(),
    }
    public = folder.read(CONFIGURATION_PUBLIC)
    for node in gateways:
        files[gateway_file(node, "ca.crt")] = authority
        if public is not None:
            files[gateway_file(node, "configuration.pub")] = public
        files[gateway_file(node, "broker.toml")] = SNIPPET.format(
            node=node, site=manifest.site, host_id=manifest.host_id, host=host, port=BROKER_PORT
        ).encode()
    return files
