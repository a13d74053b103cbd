"""A real OPC UA server in a process of its own: killed, stopped and made to misbehave by the tests.

`python -m tests.support.opcua_server PORT [FOLDER]`; with FOLDER it offers Basic256Sha256 alone, under the
certificates in it. It obeys words on its standard input, a line each, and says `ready`, then `done WORD`.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.services import free_port

URI = "http://essai.example/automate"
ACCOUNT = ("palier", "mot de passe d'essai")


@dataclass
class OpcUaServer:
    """`kill` is kill -9, `start` brings it back on the same port with nothing remembered."""

    port: int
    folder: Path | None = None
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/essai"

    def start(self) -> None:
        words = [sys.executable, "-m", "tests.support.opcua_server", str(self.port)]
        words += [str(self.folder)] if self.folder else []
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line != "ready\n":
            self.kill()
            raise AssertionError(f"the server did not start: {line!r}")

    def tell(self, word: str) -> None:
        """Have it do something, and wait until it has."""
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == f"done {word}\n"

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self.process = None


@contextlib.contextmanager
def running_server(folder: Path | None = None) -> Iterator[OpcUaServer]:
    """A server for the length of the block."""
    server = OpcUaServer(free_port(), folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


async def serve(port: int, folder: Path | None) -> None:
    """Run until killed."""
    from asyncua import Server, ua

    server = Server(user_manager=_Accounts() if folder else None)
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/essai")
    if folder is None:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    else:
        await _secure(server, folder)
    index = await server.register_namespace(URI)
    machine = await server.nodes.objects.add_object(ua.NodeId("Pompe", index), "Pompe")
    nodes = {}
    for name, value, kind in (
        ("Vitesse", 1480.0, ua.VariantType.Double),
        ("Charge", 42, ua.VariantType.Int16),
        ("Palier", 55.5, ua.VariantType.Float),
        ("Marche", True, ua.VariantType.Boolean),
        ("Nom", "P-101", ua.VariantType.String),
        ("Serie", [1.0, 2.0], ua.VariantType.Double),
    ):
        nodes[name] = await machine.add_variable(ua.NodeId(f"Pompe.{name}", index), name, value, kind)
    async with server:
        _say("ready")
        await asyncio.gather(_turn(nodes["Vitesse"]), _obey(server, nodes, index))


class _Accounts:
    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> Any:
        from asyncua.crypto.permission_rules import User, UserRole

        return User(role=UserRole.User) if (username, password) == ACCOUNT else None


async def _secure(server: Any, folder: Path) -> None:
    from asyncua import ua
    from asyncua.crypto.truststore import TrustStore
    from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions

    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    await server.load_certificate(str(folder / "server.der"))
    await server.load_private_key(str(folder / "server.key"), format="pem")
    trusted = TrustStore([folder / "trusted"], [])
    await trusted.load()
    server.set_certificate_validator(
        CertificateValidator(
            CertificateValidatorOptions.TRUSTED | CertificateValidatorOptions.PEER_CLIENT, trusted
        )
    )


async def _turn(node: Any) -> None:
    """The speed changes five times a second."""
    count = 0
    while True:
        count += 1
        await node.write_value(1480.0 + count % 10)
        await asyncio.sleep(0.2)


async def _obey(server: Any, nodes: dict[str, Any], index: int) -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        await _do(line.strip(), server, nodes, index)
        _say(f"done {line.strip()}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _do(word: str, server: Any, nodes: dict[str, Any], index: int) -> None:
    from asyncua import ua

    if word in MISDEEDS:
        await MISDEEDS[word](server)
    elif word == "bad":
        status = ua.StatusCode(ua.StatusCodes.BadSensorFailure)
        await nodes["Palier"].write_value(ua.DataValue(ua.Variant(55.5, ua.VariantType.Float), status))
    elif word == "good":
        await nodes["Palier"].write_value(ua.DataValue(ua.Variant(56.0, ua.VariantType.Float)))
    elif word == "new":
        machine = server.get_node(ua.NodeId("Pompe", index))
        await machine.add_variable(ua.NodeId("Pompe.Tard", index), "Tard", 7.0)


async def _mute(_server: Any) -> None:
    """Reads are answered, nothing is published any more, not even that it lives."""
    from asyncua.server.internal_subscription import InternalSubscription

    async def nothing(*_args: Any, **_more: Any) -> bool:
        return False

    InternalSubscription.publish_results = nothing


async def _drop(server: Any) -> None:
    """The subscriptions are gone, nobody is told."""
    service = server.iserver.subscription_service
    await service.delete_subscriptions(list(service.subscriptions))


async def _unhook(server: Any) -> None:
    """The items are gone, keep-alives go on."""
    for one in server.iserver.subscription_service.subscriptions.values():
        items = one.monitored_item_srv
        items.delete_monitored_items(list(items._monitored_items))


async def _forget(server: Any) -> None:
    """Every session is closed at the server, its connection stays."""
    for client in list(server.bserver.clients):
        client.processor.session = None


MISDEEDS = {"mute": _mute, "drop": _drop, "unhook": _unhook, "forget": _forget}


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None))
