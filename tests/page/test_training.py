"""The training mode: nothing of the truth before the answer, all of it after, and nothing of a plant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette

from dashboards.console.training_app import as_training
from palier.clock import PlantClock
from palier.historian.folder import DataFolder
from palier.plant import Plant
from palier.training import TrainingError
from palier.training_results import TrainingFolder
from simulators.training_times import END_S
from tests.page.conftest import make_app
from tests.support.browsing import opened
from tests.support.page_server import page_client, running_page
from tests.support.training_data import training_folder

RING, SOUND = "/training/exercise/EX-03", "/training/exercise/EX-10"
RIGHT = {"fault": "outer_ring", "point": "2", "severity": "3", "action": "plan", "hints": "0"}
SECRETS = re.compile(
    "BPFO et ses harmoniques|gravité simulée|cailloux|chocs à|Ce que Palier trouve|gravité \\d sur 5"
)
"""Words that only truth, evidence or explanation have."""

Made = tuple[Plant, TrainingFolder, DataFolder]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return training_folder(tmp_path_factory.mktemp("training"))


def application(made: Made) -> Starlette:
    plant, training, data = made
    clock = PlantClock(start_ns=round(END_S * 1e9))
    return as_training(make_app(data.historian, plant, waveforms=data.waveforms, clock=clock), training.path)


@pytest.fixture
def client(made: Made) -> Iterator[httpx.Client]:
    with page_client(application(made)) as opened_client:
        yield opened_client
    made[1].results_file.unlink(missing_ok=True)


def send(client: httpx.Client, path: str, form: dict[str, str]) -> httpx.Response:
    """A form as a browser sends it."""
    token = re.search(r'name="token" value="(\w+)"', client.get("/training").text)
    assert token is not None
    headers = {"origin": str(client.base_url).rstrip("/"), "sec-fetch-site": "same-origin"}
    return client.post(path, data={"token": token[1], **form}, headers=headers)


def test_no_page_and_no_answer_tells_the_truth_before_the_pupil_answered(client: httpx.Client) -> None:
    send(client, "/training/pupil", {"pupil": "Amina"})
    api = "/api/machines/EX-03"
    query = "?point=2&channel=H&range=30d"
    pages = [
        "/training", RING, f"{RING}?hints=2", f"{RING}/solution", "/training/results.csv",
        "/training/results", "/training/ready", f"{api}/trend{query}", f"{api}/marks{query}",
        f"{api}/families/bands{query}",
        f"{api}/families/sensor{query}", f"{api}/lines{query}&kind=envelope", f"{api}/wave{query}",
    ]  # fmt: skip
    for path in pages:
        answer = client.get(path, follow_redirects=True)
        assert answer.status_code == 200, path
        assert not SECRETS.search(answer.text), (path, SECRETS.search(answer.text))
    assert client.get(f"{RING}/solution").headers["location"] == RING


JUDGED = (
    "/machine/EX-03", "/alarms", "/alarm/EX-03/2/vibration", "/gateways", "/settings", "/events?page=alarms",
    "/api/overview", "/api/machines/EX-03", "/api/machines/EX-03/families/health", "/api/machines/EX-03/fan",
    "/api/machines/EX-03/values?point=2&channel=H", "/machine/EX-03/report", "/machine/EX-03/order",
)  # fmt: skip


def test_what_judges_a_machine_is_not_there_while_one_learns(client: httpx.Client) -> None:
    assert {path: client.get(path).status_code for path in JUDGED} == dict.fromkeys(JUDGED, 404)


def test_a_plants_own_page_has_no_training(made: Made) -> None:
    with page_client(make_app(made[2].historian, made[0])) as plain:
        assert plain.get("/training").status_code == 404
        assert "Formation" not in plain.get("/").text.replace(made[0].site_name, "")


def test_every_page_says_that_it_is_a_training(client: httpx.Client) -> None:
    for path in ("/", "/training", RING, "/training/results"):
        assert "<strong>FORMATION.</strong>" in client.get(path, follow_redirects=True).text


def test_an_answer_needs_a_name_and_all_four_parts(client: httpx.Client) -> None:
    assert send(client, RING, RIGHT).status_code == 422
    send(client, "/training/pupil", {"pupil": "Amina"})
    answer = send(client, RING, {**RIGHT, "severity": ""})
    assert answer.status_code == 422
    assert "La réponse est incomplète" in answer.text
    assert '<option value="outer_ring" selected>' in answer.text
    assert send(client, RING, {**RIGHT, "point": "7"}).status_code == 422
    assert client.post(RING, data=RIGHT).status_code == 403  # from another page


def test_after_the_answer_come_truth_evidence_and_score_and_they_outlive_a_restart(
    client: httpx.Client, made: Made
) -> None:
    send(client, "/training/pupil", {"pupil": "Amina"})
    assert send(client, RING, RIGHT).headers["location"] == f"{RING}/solution"
    html = client.get(f"{RING}/solution").text
    for text in ("<b dir=\"ltr\">100</b>", "bague externe du roulement, point 2", "BPFO et ses harmoniques",
                 "raies de défaut, bague externe", "gravité 3 sur 5", "Exercice suivant"):  # fmt: skip
        assert text in html, text
    send(client, SOUND, {"fault": "cage", "point": "1", "severity": "3", "action": "plan", "hints": "1"})
    assert "cailloux" in client.get(f"{SOUND}/solution").text
    with page_client(application(made)) as again:
        again.cookies.update(client.cookies)
        assert "100 points sur 200" in again.get("/training").text
        assert "outer_ring" in again.get("/training/results.csv").text
        again.cookies.set("palier_pupil", "Karim")  # who has answered nothing yet
        seen = again.get("/training/results.csv").text
        assert "Amina" in seen
        assert "outer_ring" not in seen
        assert again.get(f"{RING}/solution").status_code == 303


def test_an_exercise_that_is_not_ready_waits_in_the_list(made: Made, tmp_path: Path) -> None:
    plant, training, data = made
    session = training.session()
    other = TrainingFolder(tmp_path)
    longer = tuple(replace(one, blocks=one.blocks * 2) for one in session.exercises)
    other.session_file.write_text(replace(session, exercises=longer).to_json(), "utf-8")
    with page_client(application((plant, other, data))) as client:
        assert client.get("/training/ready").json() == {"EX-03": 0.5, "EX-10": 0.5}
        assert client.get(RING).headers["location"] == "/training"
        assert "en préparation" in client.get("/training").text
        assert client.get("/training/exercise/EX-77").status_code == 404


def test_a_folder_without_a_session_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="palier demo --training"):
        application((made[0], TrainingFolder(tmp_path), made[2]))


def test_other_languages_have_no_key_showing(client: httpx.Client) -> None:
    send(client, "/training/pupil", {"pupil": "Sam"})
    send(client, RING, RIGHT)
    for lang in ("en", "ar"):
        for path in ("/training", RING, f"{RING}/solution", "/training/results"):
            html = client.get(f"{path}?lang={lang}").text
            assert not re.search(r"training\.(?!css|js)\w", html), path


@pytest.mark.long
def test_a_pupil_finds_the_fault_in_a_browser(browser: Browser, made: Made) -> None:
    with running_page(application(made)) as address, opened(browser) as (page, _):
        page.goto(address)
        page.fill("input[name=pupil]", "Amina")
        page.click("form.row-form button")
        page.click("tr[data-exercise=EX-03] a")
        for chart in ("trend", "bands", "spectrum", "envelope", "waveform"):
            page.locator(f"#{chart}").scroll_into_view_if_needed()
            page.wait_for_function("id => !!document.querySelector(`#${id} canvas`)", arg=chart)
        page.get_by_text("Demander un indice").click()
        expect(page.locator(".training-hints li")).to_have_count(1)
        page.select_option("select[name=fault]", "outer_ring")
        for name, value in (("point", "2"), ("severity", "3"), ("action", "plan")):
            page.check(f'input[name={name}][value="{value}"]')
        page.click("#answer button.primary")
        page.wait_for_url("**/solution")
        expect(page.locator(".training-score")).to_contain_text("95 / 100")
        page.set_viewport_size({"width": 320, "height": 640})
        for path in ("/training", RING, f"{RING}/solution", "/training/results"):
            page.goto(address + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
    made[1].results_file.unlink(missing_ok=True)
