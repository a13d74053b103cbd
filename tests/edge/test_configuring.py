"""Configurations from the host: which are taken, which are refused and why, and what goes back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.__main__ import main
from edge_agent.configured import ConfigurationFile
from edge_agent.configuring import forget
from edge_agent.remote_settings import LOCAL_KEYS, REMOTE_KEYS
from edge_agent.settings import AgentSettings, read_settings
from edge_agent.signatures import verify_apart
from palier.strict_toml import ConfigError, Document
from palier.wire.configuration import CONFIGURATION, MAX_TEXT_BYTES, signed_bytes
from palier.wire.payload import DataType, DecodeError, Metric, Payload, decode, encode
from palier.wire.status import GatewayStatus
from tests.support.configuring import EDGE, SENT, FakeHands, Gateway, signed, write_keys, write_local


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


def test_a_signed_configuration_is_tried_and_kept(gateway: Gateway) -> None:
    assert gateway.send(signed(gateway.key, 1)) == "taken"
    assert gateway.types == ("replay",)
    assert gateway.passes(299) == "taken"
    assert gateway.passes(2) == "kept"
    told = gateway.configurer.tell(GatewayStatus())
    assert (told.origin, told.state, told.configuration_version, told.text) == ("remote", "kept", 1, SENT)
    assert gateway.again().in_force.state == "kept"
    assert gateway.types == ("replay",)


def test_the_same_message_twice_is_done_once(gateway: Gateway) -> None:
    sent = signed(gateway.key, 1)
    gateway.send(sent)
    assert gateway.send(sent) == "taken"
    assert gateway.hands.changes == 1


def refused(gateway: Gateway, why: str) -> None:
    assert why in gateway.why
    assert gateway.answer == "refused"
    assert gateway.types == ("simulated",)
    assert gateway.hands.changes == 0
    assert not (gateway.folder / "data" / "configuration.toml").exists()


def test_without_a_key_nobody_configures(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, configuration="")
    gateway.send(signed(gateway.key, 1))
    refused(gateway, "takes no configuration from the host: name the engineer's public key in agent.toml")


def test_a_forged_configuration_is_refused(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    gateway.send(signed(write_keys(tmp_path / "other"), 1))
    refused(gateway, "the signature is not that of the key of this gateway")


@pytest.mark.parametrize(
    "change",
    [{"text": SENT + "# more\n"}, {"version": 2}, {"signature": bytes(64)}],
    ids=["text", "version", "unsigned"],
)
def test_a_changed_configuration_is_refused(gateway: Gateway, change: dict[str, object]) -> None:
    gateway.send(replace(signed(gateway.key, 1), **change))  # type: ignore[arg-type]
    refused(gateway, "the signature is not that of the key of this gateway")


def test_one_for_another_gateway_is_refused(gateway: Gateway) -> None:
    gateway.send(signed(gateway.key, 1, edge="usine/gw-2"))
    refused(gateway, "the configuration is for usine/gw-2, and this gateway is usine/gw-1")
    gateway.send(replace(signed(gateway.key, 1, edge="usine/gw-2", request="request-b"), edge=EDGE))
    refused(gateway, "the signature is not that of the key")


def test_an_old_one_is_never_taken_again(gateway: Gateway) -> None:
    first = signed(gateway.key, 1)
    gateway.send(first)
    gateway.passes(301)
    gateway.send(signed(gateway.key, 2))
    gateway.passes(301)
    gateway.send(replace(first, request="request-again"))
    assert gateway.why.startswith("version 1 must be above 2, the highest that this gateway has taken")
    gateway.again()
    gateway.send(replace(first, request="request-third"))
    assert gateway.answer == "refused"


def test_one_that_went_back_is_not_taken_again_either(gateway: Gateway) -> None:
    sent = signed(gateway.key, 1)
    gateway.send(sent)
    gateway.hands.linked = False
    assert gateway.passes(31) == "went_back"
    assert gateway.types == ("simulated",)
    gateway.hands.linked = True
    gateway.send(replace(sent, request="request-again"))
    assert "must be above 1" in gateway.why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[attach]]\nmachine = 'P-1'\nspeed = 'p/n'\n", "at least one [[source]] is needed"),
        ("source = []\n", "at least one [[source]] is needed"),
        (f'site = "autre"\n{SENT}', "site stands in agent.toml alone and can't be sent: take it out"),
        (f'{SENT}[broker]\nhost = "elsewhere"\n', "broker stands in agent.toml alone"),
        (f'node = "x"\ndata = "y"\n{SENT}', "node stands in agent.toml alone"),
        (f'{SENT}[configuration]\nkey_file = "mine.pub"\n', "configuration stands in agent.toml alone"),
        (f"sources = 1\n{SENT}", "unknown key 'sources' (did you mean \"source\"?)"),
        ("[[source]\n", "is not TOML"),
        (SENT * 129, "at most 128 [[source]] can be sent, got 129"),
        ('[[source]]\ntype = "nothing"\n', "a source's type must be one of"),
        ('[[source]]\ntype = "replay"\nfile = "/etc/shadow"\n', "must name a file beside agent.toml"),
        ('[[source]]\ntype = "replay"\nfile = "../x"\n', "must name a file beside agent.toml"),
        ('[[source]]\ntype = "replay"\nfile = "password"\n', "file must not be the password of the broker"),
        ('[[source]]\ntype = "replay"\n[source.login]\npassword = "x"\n', "password holds a secret"),
    ],
)
def test_what_would_silence_or_open_the_gateway_is_refused(gateway: Gateway, text: str, why: str) -> None:
    gateway.send(signed(gateway.key, 1, text))
    refused(gateway, why)


def test_mistakes_are_told_with_their_line(gateway: Gateway) -> None:
    gateway.send(signed(gateway.key, 5, f"{SENT}timeout_s = -1\n"))
    refused(gateway, "configuration 5:5: timeout_s must be above 0, got -1")


def raw(version: object, text: str, signature: str, request: str = "request-raw") -> Payload:
    properties = {"edge": EDGE, "version": version, "signature": signature, "request": request}
    metric = Metric(CONFIGURATION, DataType.STRING, text, timestamp_ms=1, properties=properties)  # type: ignore[arg-type]
    return decode(encode(Payload(1, (metric,), None, "palier/1")))


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (raw(1, SENT, "00" * 63), "a signature must have 64 bytes, got 63"),
        (raw(1, SENT, "no hex"), "a signature must be hex digits"),
        (raw(1, "x" * (MAX_TEXT_BYTES + 1), "00" * 64), f"from 1 to {MAX_TEXT_BYTES} bytes of text"),
        (raw(0, SENT, "00" * 64), "version must be from 1"),
        (raw(1, "", "00" * 64), "bytes of text, got 0"),
    ],
    ids=["truncated", "unsigned", "oversized", "version", "empty"],
)
def test_what_is_no_configuration_is_refused_and_answered(
    gateway: Gateway, payload: Payload, why: str
) -> None:
    with pytest.raises(DecodeError):
        gateway.configurer.hear(payload)
    refused(gateway, why)


def test_sources_that_can_t_be_opened_leave_what_was(gateway: Gateway) -> None:
    gateway.hands.refuses = "none of its sources can be opened, so the gateway would be silent"
    assert gateway.send(signed(gateway.key, 1)) == "refused"
    assert gateway.types == ("simulated",)
    assert gateway.again().in_force.version == 0
    assert gateway.send(signed(gateway.key, 2)) == "taken"


def test_a_source_that_worked_and_gives_nothing_takes_it_back(gateway: Gateway) -> None:
    gateway.hands.working = ("replay",)
    gateway.send(signed(gateway.key, 1))
    assert gateway.passes(301) == "went_back"
    assert gateway.why == "a source that worked before gave no frame: replay"
    assert gateway.types == ("simulated",)
    assert gateway.again().in_force.version == 0


def test_it_goes_back_to_the_one_kept_before(gateway: Gateway) -> None:
    gateway.send(signed(gateway.key, 1))
    gateway.passes(301)
    gateway.send(signed(gateway.key, 2, '[[source]]\ntype = "simulated_history"\nfile = "h"\n'))
    gateway.hands.linked = False
    assert gateway.passes(31) == "went_back"
    assert gateway.types == ("replay",)
    now = gateway.again().in_force
    assert (now.version, now.state, now.highest) == (1, "kept", 2)


def test_a_restart_in_the_trial_goes_on_where_it_was(gateway: Gateway) -> None:
    gateway.hands.working = ("replay",)
    gateway.send(signed(gateway.key, 1))
    gateway.hands.gave = frozenset({"replay"})
    gateway.passes(200)
    begun = gateway.again()
    assert begun.in_force.trial is not None
    assert begun.in_force.trial.starts == 1
    assert 100 <= begun.in_force.trial.left_s <= 115
    assert gateway.passes(116) == "kept"


def test_what_ends_the_agent_each_time_goes_back(gateway: Gateway) -> None:
    gateway.send(signed(gateway.key, 1))
    for _ in range(3):
        assert gateway.again().in_force.version == 1
    begun = gateway.again()
    assert begun.in_force.version == 0
    assert (gateway.answer, gateway.types) == ("went_back", ("simulated",))
    assert "started 4 times within the trial" in gateway.why


def test_one_that_another_version_of_palier_can_t_read_gives_way_to_agent_toml(gateway: Gateway) -> None:
    gateway.send(signed(gateway.key, 1))
    gateway.passes(301)
    kept = gateway.file.read()
    gateway.file.write(replace(kept, text="[[source]]\ntype = 5\n"))
    begun = gateway.again()
    assert begun.in_force.state == "broken"
    assert begun.settings.sources[0].type == "simulated"
    assert "can't be used" in begun.problem
    assert gateway.configurer.tell(GatewayStatus()).origin == "agent.toml"


def test_a_disk_that_takes_nothing_changes_nothing(gateway: Gateway) -> None:
    def full(_step: str) -> None:
        raise OSError(28, "No space left on device")

    gateway.file.before_step = full
    assert gateway.send(signed(gateway.key, 1)) == "refused"
    assert gateway.why == "the disk does not take it: No space left on device; nothing was changed"
    assert gateway.types == ("simulated",)


def test_an_agent_on_a_disk_that_takes_nothing_starts_all_the_same(gateway: Gateway) -> None:
    gateway.send(signed(gateway.key, 1))

    def full(_file: ConfigurationFile, _name: str, _in_force: object) -> None:
        raise OSError(30, "Read-only file system")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConfigurationFile, "_write", full)
        assert gateway.again().in_force.version == 1
        gateway.passes(301)
        assert gateway.configurer.in_force.state == "kept"
    assert gateway.file.read().state == "trial"
    gateway.passes(5)
    assert gateway.file.read().state == "kept"


def test_agent_toml_again_by_hand_and_where_the_sources_come_from(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ["--config", str(gateway.folder / "agent.toml")]
    gateway.send(signed(gateway.key, 1))
    assert main([*config, "--print-config"]) == 0
    assert "sources are those of configuration 1 of the host, on trial" in capsys.readouterr().out
    gateway.passes(301)
    assert main([*config, "--print-config"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# sources are those of configuration 1 of the host, kept")
    assert 'type = "replay"' in shown
    assert main([*config, "--forget-configuration"]) == 0
    assert "configuration 1 of the host is forgotten" in capsys.readouterr().out
    assert main([*config, "--print-config"]) == 0
    assert 'type = "simulated"' in capsys.readouterr().out
    begun = gateway.again()
    assert (begun.in_force.version, begun.in_force.highest, gateway.answer) == (0, 1, "forgotten")
    gateway.send(signed(gateway.key, 1, request="request-again"))
    assert gateway.answer == "refused"


def test_while_one_is_on_trial_no_other_is_taken(gateway: Gateway) -> None:
    gateway.send(signed(gateway.key, 1))
    gateway.passes(10)
    gateway.send(signed(gateway.key, 2))
    assert gateway.why == "version 1 is on trial, for 290 s yet: send again when that is over"
    assert gateway.passes(291) == "kept"
    assert gateway.configurer.answer is not None
    assert gateway.configurer.answer.request == "request-1"


@pytest.mark.long
def test_the_check_of_a_signature_is_a_process_of_its_own(tmp_path: Path) -> None:
    key = write_keys(tmp_path)
    sent = signed(key, 1)
    message = signed_bytes(EDGE, 1, SENT)
    assert verify_apart(tmp_path / "configuration.pub", message, sent.signature) == ""
    assert "not that of the key" in verify_apart(
        tmp_path / "configuration.pub", message + b"x", sent.signature
    )
    assert "can't be read" in verify_apart(tmp_path / "nowhere.pub", message, sent.signature)
    assert "not an ed25519 public key" in verify_apart(key, message, sent.signature)


def test_every_key_of_agent_toml_is_either_sent_or_local(tmp_path: Path) -> None:
    """A key that is new in `read_settings` belongs into one of the two sets."""
    document = write_local(tmp_path).document
    fresh = Document(tmp_path, {**document.data, "new_key": 1}, {})
    with pytest.raises(ConfigError) as caught:
        read_settings(fresh, tmp_path)
    (sentence,) = caught.value.sentences()
    known = sentence.partition("(known: ")[2].rstrip(")").split(", ")
    assert {*known, "host_id"} == LOCAL_KEYS | REMOTE_KEYS
    assert not LOCAL_KEYS & REMOTE_KEYS


def test_a_mistake_in_the_agent_itself_leaves_no_trial_on_the_disk(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = FakeHands.change

    def changed(hands: FakeHands, settings: AgentSettings, *, whatever: bool = False) -> None:
        change(hands, settings, whatever=whatever)
        if not whatever:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(FakeHands, "change", changed)
    assert gateway.send(signed(gateway.key, 1)) == "refused"
    assert gateway.types == ("simulated",)
    assert gateway.again().in_force.version == 0


def test_what_was_forgotten_does_not_come_back_by_a_worn_card(gateway: Gateway) -> None:
    for version in (1, 2):
        gateway.send(signed(gateway.key, version))
        gateway.passes(301)
    forget(gateway.file)
    file = gateway.folder / "data" / "configuration.toml"
    file.write_bytes(file.read_bytes()[:-3])
    begun = gateway.again()
    assert begun.problem
    assert (begun.in_force.version, begun.in_force.highest) == (0, 2)
