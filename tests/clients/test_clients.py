"""The clients that docs/clients offers for copying, each run as it stands by what it is for."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from time import monotonic
from typing import Any, NamedTuple

import pytest
import requests
from playwright.sync_api import Browser, Page, sync_playwright

from pipeline.data.contract import data_contract
from pipeline.params_file import load
from serving.model.rows import to_matrix
from serving.web.keys import Role, new_key
from tests.conftest import ROOT, free_port
from tests.e2e.running import keep
from tests.running import Service, eventually, service
from tests.serving.conftest import Registry
from tests.serving.explained_model import write_svm
from tests.serving.small_model import CONTRACT, expected_probability, write

FOLDER = ROOT / "docs/clients"
# How a client is run, and what has to be here for that.
COMMANDS = {
    "predict.sh": (["bash"], ("curl", "jq")),
    "predict.py": ([sys.executable], ()),
    "predict.mjs": (["node"], ("node",)),
    "predict.php": (["php"], ("php",)),
    "predict.html": ([], ("chromium",)),
}
PAGE = "predict.html"
ABSENT = {
    name: [tool for tool in needed if shutil.which(tool) is None]
    for name, (_, needed) in COMMANDS.items()
}
CLIENTS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(bool(ABSENT[name]), reason=f"not here: {', '.join(ABSENT[name])}"),
    )
    for name in COMMANDS
]
HERE = [name for name in COMMANDS if not ABSENT[name]]
TRIES = 5

ROW = {"Glucose": None, "Age": 95, "Smoker": True}
WRONG = {"Glucose": 5000, "Age": 5, "Smoker": True}


class Told(NamedTuple):
    """What a client has said in the end, and whether it had an answer to say."""

    answered: bool
    text: str


Finish = Callable[[], Told]
# Starts a client: its name, the service's URL, a row (its own where None), a key, and whether to
# explain the answer.
Start = Callable[..., Finish]


def in_terminal(
    name: str, url: str, row: Any = None, key: str = "", explain: bool = False
) -> Finish:
    steering = re.compile("SERVING_.*|.*_proxy", re.IGNORECASE)
    clean = {name: value for name, value in os.environ.items() if not steering.fullmatch(name)}
    words = [*(["--explain"] if explain else []), url, *([] if row is None else [json.dumps(row)])]
    process = subprocess.Popen(
        [*COMMANDS[name][0], str(FOLDER / name), *words],
        env={**clean, **({"SERVING_API_KEY": key} if key else {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def finish() -> Told:
        out, err = process.communicate(timeout=60)
        code = process.returncode
        # An answer is on stdout alone, and what went wrong on stderr alone.
        if (code, bool(out), bool(err)) in {(0, True, False), (1, False, True)}:
            return Told(code == 0, out or err)
        return Told(False, f"exit code {code}\non stdout: {out}\non stderr: {err}")

    return finish


def in_page(page: Page, url: str, row: Any = None, key: str = "", explain: bool = False) -> Finish:
    page.get_by_label("Service").fill(url)
    page.get_by_label("Say why").set_checked(explain)
    page.get_by_label("API key").fill(key)
    if row is not None:
        page.get_by_label("Row").fill(json.dumps(row))
    page.get_by_role("button", name="Predict").click()

    def finish() -> Told:
        page.locator("button:enabled").wait_for(timeout=60_000)
        text = page.get_by_role("status").inner_text()
        return Told(text.startswith("label"), text)

    return finish


class QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def listening(handler: Any) -> Iterator[int]:
    """Answer on a port of this machine until the block ends; gives the port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def pages() -> Iterator[int]:
    """Serve the page from an origin that is not the service's; gives its port."""
    with listening(partial(QuietFiles, directory=FOLDER)) as port:
        yield port


@pytest.fixture(scope="module")
def open_page(pages: int) -> Iterator[Callable[[str], Page]]:
    with ExitStack() as stack:
        browsers: list[Browser] = []

        def open_page(host: str) -> Page:
            if not browsers:
                chromium = stack.enter_context(sync_playwright()).chromium
                browser = chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
                )
                stack.callback(browser.close)
                browsers.append(browser)
            page = browsers[0].new_page()
            page.goto(f"http://{host}:{pages}/{PAGE}")
            return page

        yield open_page


@pytest.fixture(scope="module")
def start(open_page: Callable[[str], Page]) -> Start:
    def start(name: str, *asked: Any, **more: Any) -> Finish:
        if name == PAGE:
            return in_page(open_page("127.0.0.1"), *asked, **more)
        return in_terminal(name, *asked, **more)

    return start


@pytest.fixture(scope="module")
def key() -> tuple[str, str]:
    secret, key = new_key("frontend", [Role.PREDICT])
    return secret, str(key)


@pytest.fixture(scope="module")
def running(
    key: tuple[str, str], pages: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service that wants a key, and lets pages of the other origin ask."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "keys").write_text(key[1] + "\n")
    with service(
        folder,
        SERVING_STORE=str(keep(CONTRACT, folder)),
        SERVING_API_KEYS_FILE="keys",
        SERVING_CORS_ORIGINS=f"http://127.0.0.1:{pages}",
    ) as found:
        yield found


def probability_in(text: str) -> float:
    found = re.match(r"label (?:no|yes), probability (\S+)\n", text + "\n")
    assert found, text
    return float(found[1])


@pytest.mark.parametrize("name", CLIENTS)
def test_an_answer_is_its_label_its_probability_and_its_warnings(
    start: Start, running: Service, key: tuple[str, str], name: str
) -> None:
    told = start(name, running.url, ROW, key=key[0])()
    assert told.answered
    first, *others = told.text.splitlines()
    answer = running.predict(ROW, headers={"X-API-Key": key[0]}).json()["predictions"][0]
    assert first.startswith(f"label {answer['label']}, ")
    assert probability_in(told.text) == pytest.approx(answer["probability"], rel=1e-9)
    assert probability_in(told.text) == pytest.approx(expected_probability(ROW), rel=1e-9)
    assert others == ["warning: Age 95 is outside the range seen in training, 21 to 81"]


@pytest.mark.parametrize("name", CLIENTS)
def test_what_is_wrong_is_told_of_each_field_by_its_pointer(
    start: Start, running: Service, key: tuple[str, str], name: str
) -> None:
    told = start(name, running.url, WRONG, key=key[0])()
    assert not told.answered
    assert told.text.splitlines() == [
        "Glucose: 5000 is above the highest possible, 1000 (2 errors in all, 2 listed).",
        "  /Glucose: 5000 is above the highest possible, 1000",
        "  /Age: 5 is below the lowest possible, 18",
    ]


@pytest.mark.parametrize("name", CLIENTS)
def test_without_a_key_it_is_told_that_one_is_needed(
    start: Start, running: Service, name: str
) -> None:
    told = start(name, running.url, ROW)()
    sentence = "A key is needed: send the header Authorization: Bearer <key>."
    assert (told.answered, told.text.strip()) == (False, sentence)


@pytest.mark.parametrize("name", CLIENTS)
def test_where_nobody_listens_one_sentence_says_so(start: Start, name: str) -> None:
    told = start(name, f"http://127.0.0.1:{free_port()}", ROW)()
    assert not told.answered
    (sentence,) = told.text.splitlines()
    assert re.search("cannot be reached|Failed to connect", sentence)


@pytest.mark.skipif(PAGE not in HERE, reason="there is no chromium to drive")
def test_a_page_of_an_origin_that_may_not_ask_says_so(
    open_page: Callable[[str], Page], running: Service, key: tuple[str, str]
) -> None:
    page = open_page("localhost")
    told = in_page(page, running.url, ROW, key=key[0])()
    origin = page.evaluate("location.origin")
    sentence = f"{running.url} cannot be reached, or lets no page of {origin} ask."
    assert told == (False, sentence)


@pytest.fixture(scope="module")
def recovered(
    start: Start, pages: int, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Told]:
    """What all clients say, asking at once a service that gets its first model while they wait."""
    folder = tmp_path_factory.mktemp("empty")
    registry = Registry(folder / "mlflow.db")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        registry.client().search_registered_models()
    digest = write(folder / "made", CONTRACT)

    def sent_away(running: Service) -> int:
        lines = [line for line in running.log_lines() if line.get("status") == 503]
        return sum((line["method"], line["path"]) == ("POST", "/predict") for line in lines)

    with service(
        folder,
        MLFLOW_TRACKING_URI=registry.uri,
        SERVING_CORS_ORIGINS=f"http://127.0.0.1:{pages}",
    ) as running:
        eventually(lambda: running.version()["sync"], within=30)
        clients = {name: start(name, running.url, ROW) for name in HERE}
        eventually(lambda: sent_away(running) >= len(HERE))
        registry.register(folder / "made", digest)
        return {name: finish() for name, finish in clients.items()}


@pytest.mark.parametrize("name", CLIENTS)
def test_where_no_model_is_there_yet_it_waits_for_one(
    recovered: dict[str, Told], name: str
) -> None:
    told = recovered[name]
    assert told.answered, told.text
    assert probability_in(told.text) == pytest.approx(expected_probability(ROW), rel=1e-9)


class Asked(NamedTuple):
    at: float
    body: Any


@contextmanager
def answering(
    status: int, body: str, **headers: str
) -> Iterator[tuple[str, dict[str, list[Asked]]]]:
    """Answer everything alike; gives the URL, and what was asked below it by the path's start."""
    asked: dict[str, list[Asked]] = defaultdict(list)

    class Stub(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_OPTIONS(self) -> None:
            self.send_response(204)
            self.send_header("Access-Control-Allow-Headers", "Content-Type")
            self.cross_origin()

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            asked[self.path.split("/")[1]].append(Asked(monotonic(), json.loads(sent)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.cross_origin()
            self.wfile.write(body.encode())

        def cross_origin(self) -> None:
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Access-Control-Expose-Headers", "Retry-After")
            self.end_headers()

    with listening(Stub) as port:
        yield f"http://127.0.0.1:{port}", asked


@pytest.fixture(scope="module")
def sent_away(start: Start) -> dict[str, tuple[Told, list[Asked]]]:
    """What all clients say of a service that never recovers, and when they asked."""
    body = json.dumps({"status": 503, "detail": "Too many requests."})
    with answering(503, body, Retry_After="1") as (url, asked):
        clients = {name: start(name, f"{url}/{name}", ROW) for name in HERE}
        return {name: (finish(), asked[name]) for name, finish in clients.items()}


@pytest.mark.parametrize("name", CLIENTS)
def test_it_asks_five_times_as_far_apart_as_it_was_told_and_gives_up(
    sent_away: dict[str, tuple[Told, list[Asked]]], name: str
) -> None:
    told, asked = sent_away[name]
    assert (told.answered, told.text.strip()) == (False, "Too many requests.")
    assert len(asked) == TRIES
    waits = [after.at - before.at for before, after in pairwise(asked)]
    assert all(0.95 < wait < 4 for wait in waits), waits


@pytest.mark.parametrize("name", CLIENTS)
def test_an_answer_that_is_a_proxy_s_and_no_json_is_told_by_its_status(
    start: Start, name: str
) -> None:
    with answering(413, "<html>too large</html>") as (url, _):
        told = start(name, url, ROW)()
    assert (told.answered, told.text.strip()) == (False, "The answer has the status 413.")


@pytest.mark.parametrize("name", CLIENTS)
def test_its_own_row_is_the_readme_s_and_one_that_the_contract_allows(
    start: Start, name: str
) -> None:
    body = json.dumps({"predictions": [{"label": 1, "probability": 0.5, "warnings": []}]})
    with answering(200, body) as (url, asked):
        assert start(name, f"{url}/{name}")() == (True, told_half(name))
    (sent,) = asked[name]
    (readme,) = re.findall(r"/predict .* -d '(\{.*?\})'", (ROOT / "README.md").read_text(), re.S)
    assert sent.body == json.loads(readme)
    assert None in sent.body.values()
    to_matrix(data_contract(load(ROOT / "params.yaml").data, (0, 1)), [sent.body])


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("label", ['très "probable"', True, False, -1])
def test_a_label_is_printed_as_it_is(start: Start, name: str, label: str | bool) -> None:
    body = json.dumps({"predictions": [{"label": label, "probability": 0.5, "warnings": []}]})
    with answering(200, body) as (url, _):
        told = start(name, url, ROW)()
    expected = label if name == "predict.py" or isinstance(label, str) else json.dumps(label)
    assert told.text.strip() == f"label {expected}, probability 0.5"


@pytest.mark.parametrize("name", CLIENTS)
def test_of_more_classes_each_has_its_probability(start: Start, name: str) -> None:
    probabilities = {"0": 0.25, "1": 0.125, "très": 0.625}
    prediction = {"label": "très", "probabilities": probabilities, "warnings": []}
    with answering(200, json.dumps({"predictions": [prediction]})) as (url, _):
        told = start(name, url, ROW)()
    label, _, said = told.text.partition(", probability ")
    assert label == "label très"
    assert json.loads(said) == probabilities


@pytest.fixture(scope="module")
def explaining(pages: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a version that can be explained."""
    folder = tmp_path_factory.mktemp("explaining")
    with service(
        folder,
        SERVING_STORE=str(keep(CONTRACT, folder, write_svm)),
        SERVING_CORS_ORIGINS=f"http://127.0.0.1:{pages}",
    ) as found:
        yield found


@pytest.mark.parametrize("name", CLIENTS)
def test_an_explanation_follows_the_answer_the_largest_contribution_first(
    start: Start, explaining: Service, name: str
) -> None:
    told = start(name, explaining.url, ROW, explain=True)()
    assert told.answered
    _, warning, head, *lines = told.text.splitlines()
    assert warning.startswith("warning: Age 95 ")
    found = requests.post(f"{explaining.url}/explain", json=ROW, timeout=30).json()
    (expected,) = found["explanations"]
    log_odds, base = re.fullmatch(r"log-odds of yes: (\S+), on average (\S+)", head).groups()
    assert float(log_odds) == pytest.approx(expected["log_odds"], rel=1e-9)
    assert float(base) == pytest.approx(expected["base"], rel=1e-9)
    for line, each in zip(lines, expected["contributions"], strict=True):
        share, _, rest = line.partition(" from ")
        assert float(share) == pytest.approx(each["log_odds"], rel=1e-9)
        assert rest == f"{each['feature']} {json.dumps(each['value'])}"


@pytest.mark.parametrize("name", CLIENTS)
def test_a_version_that_cannot_be_explained_is_told(
    start: Start, running: Service, key: tuple[str, str], name: str
) -> None:
    told = start(name, running.url, ROW, key=key[0], explain=True)()
    assert not told.answered
    assert told.text.startswith("Version 1 came without what explanations need: ")


@pytest.mark.parametrize("name", CLIENTS)
def test_what_is_explained_is_printed_as_it_is(start: Start, name: str) -> None:
    values = ['très "often"', None, True, -1.5]
    shares = [{"feature": "a/b", "value": value, "log_odds": 0.5} for value in values]
    explanation = {"class": "très", "base": -1, "log_odds": 1, "contributions": shares}
    prediction = {"label": "très", "probability": 0.5, "warnings": []}
    body = json.dumps({"predictions": [prediction], "explanations": [explanation]})
    with answering(200, body) as (url, _):
        told = start(name, url, ROW, explain=True)()
    assert told.text.strip().splitlines()[1:] == [
        "log-odds of très: 1, on average -1",
        *(f"0.5 from a/b {json.dumps(value, ensure_ascii=False)}" for value in values),
    ]


def told_half(name: str) -> str:
    return "label 1, probability 0.5" + ("" if name == PAGE else "\n")


def test_every_file_of_the_folder_is_one_of_these() -> None:
    files = {path.name for path in FOLDER.iterdir()}
    assert files == {*COMMANDS, "README.md"}
    assert os.access(FOLDER / "predict.sh", os.X_OK)
    assert all(len((FOLDER / name).read_text().splitlines()) <= 90 for name in COMMANDS)
