"""`POST /explain`: what it answers, and what it refuses."""

import csv
import io
import json
import re

import msgspec
import numpy as np
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from serving.explanations import FEWEST_BACKGROUND, OF_MORE, OF_TWO
from serving.predictor import load_served
from serving.store import versions
from serving.store.versions import Version
from serving.web.middleware import EXPLANATIONS
from tests.serving.calling import BODY, post
from tests.serving.explained_model import BACKGROUND, write_svm
from tests.serving.small_model import CONTRACT, NAME, ROWS, SPECIES, WITH_OTHERS

ROW = {"Glucose": 148.5, "Age": 50, "Smoker": True}


@pytest.fixture
def contract():
    return CONTRACT


@pytest.fixture
def stored(settings, contract, tmp_path):
    version = Version(NAME, "1", "production", write_svm(tmp_path / "made", contract))
    versions.adopt(settings.store, tmp_path / "made", version)
    versions.switch(settings.store, version)
    return version


of_species = pytest.mark.parametrize("contract", [SPECIES], ids=["three classes"])


def explained(client, body, query=""):
    response = client.post(f"/explain{query}", json=body)
    assert response.status_code == 200, response.get_data()
    return response.get_json()


def total(explanation):
    return explanation["base"] + sum(each["log_odds"] for each in explanation["contributions"])


def test_one_row_is_explained(client):
    answer = explained(client, ROW)
    assert list(answer) == ["predictions", "model", "explanations", "background", "note"]
    assert answer["background"] == BACKGROUND
    assert answer["note"] == OF_TWO
    (explanation,) = answer["explanations"]
    assert list(explanation) == ["class", "base", "log_odds", "contributions"]
    assert explanation["class"] == "yes"
    assert {each["feature"]: each["value"] for each in explanation["contributions"]} == ROW
    sizes = [abs(each["log_odds"]) for each in explanation["contributions"]]
    assert sizes == sorted(sizes, reverse=True)
    assert all(sizes)


def test_what_predict_answers_stands_before_it(client):
    rows = {"rows": [*ROWS, {"Glucose": 900, "Age": 50, "Smoker": 0}]}
    answer = explained(client, rows)
    predicted = client.post("/predict", json=rows).get_json()
    assert {key: answer[key] for key in predicted} == predicted
    assert answer["predictions"][-1]["warnings"]


def test_contributions_make_up_the_probability(client):
    answer = explained(client, {"rows": ROWS})
    for prediction, explanation in zip(answer["predictions"], answer["explanations"], strict=True):
        assert total(explanation) == pytest.approx(explanation["log_odds"], rel=1e-12)
        probability = 1 / (1 + np.exp(-explanation["log_odds"]))
        assert prediction["probability"] == pytest.approx(probability, rel=1e-12)


def test_values_are_as_they_were_sent(client):
    answer = explained(client, {"rows": ROWS})
    for row, explanation in zip(ROWS, answer["explanations"], strict=True):
        values = {each["feature"]: each["value"] for each in explanation["contributions"]}
        assert values == row
        assert isinstance(values["Age"], int)
        assert isinstance(values["Smoker"], bool)


@pytest.mark.parametrize("contract", [WITH_OTHERS], ids=["categories"])
def test_a_text_that_shares_its_number_is_shown_as_it_was_sent(client):
    texts = ["daily", "weekly", "monthly", "on the moon", None]
    answer = explained(client, {"rows": [{**ROW, "Smoker": text} for text in texts]})
    values = [
        next(c["value"] for c in each["contributions"] if c["feature"] == "Smoker")
        for each in answer["explanations"]
    ]
    assert values == texts


def test_the_other_class_has_the_opposite(client):
    positive, negative = (
        explained(client, ROW, f"?class={name}")["explanations"][0] for name in ("yes", "no")
    )
    assert (positive["class"], negative["class"]) == ("yes", "no")
    assert negative["base"] == -positive["base"]
    pairs = zip(positive["contributions"], negative["contributions"], strict=True)
    assert all(a["log_odds"] == -b["log_odds"] for a, b in pairs)


@of_species
def test_of_more_classes_the_predicted_one_is_explained(client):
    answer = explained(client, {"rows": ROWS})
    assert answer["note"] == OF_MORE
    labels = [prediction["label"] for prediction in answer["predictions"]]
    assert [explanation["class"] for explanation in answer["explanations"]] == labels
    assert len({*map(str, labels)}) > 1


@of_species
def test_log_odds_of_all_classes_make_up_the_probabilities(client):
    asked = {str(name): explained(client, ROW, f"?class={name}") for name in SPECIES.classes}
    shares = {
        name: 1 / (1 + np.exp(-total(answer["explanations"][0]))) for name, answer in asked.items()
    }
    probabilities = asked["7"]["predictions"][0]["probabilities"]
    for name, share in shares.items():
        assert probabilities[name] == pytest.approx(share / sum(shares.values()), rel=1e-10)


def test_a_class_that_is_none_is_refused(client):
    response = client.post("/explain?class=maybe", json=ROW)
    assert response.status_code == 422
    assert response.get_json()["detail"] == "There is no class `maybe`; the classes are no, yes."


@pytest.mark.parametrize(
    "contract", [msgspec.structs.replace(CONTRACT, classes=("False", "True"))], ids=["booleans"]
)
@pytest.mark.parametrize("name", ["true", "True"])
def test_a_true_or_false_class_is_asked_for_as_it_is_answered(client, name):
    assert explained(client, ROW, f"?class={name}")["explanations"][0]["class"] is True


@pytest.mark.parametrize("contract", [CONTRACT, SPECIES], ids=["two classes", "three classes"])
def test_a_table_comes_back_with_its_explanations(client, contract):
    text = "id,Glucose,Age,Smoker\n" + "".join(
        f"{place},{row['Glucose'] or ''},{row['Age']},{row['Smoker']}\n"
        for place, row in enumerate(ROWS)
    )
    response = client.post("/explain", data=text, content_type="text/csv")
    assert response.status_code == 200, response.get_data()
    assert response.headers["X-Model-Version"] == "1"
    predicted = client.post("/predict", data=text, content_type="text/csv").get_data(as_text=True)
    table = list(csv.DictReader(io.StringIO(response.get_data(as_text=True))))
    header = [*csv.DictReader(io.StringIO(predicted)).fieldnames]
    added = ["base", *(f"contribution_{name}" for name in contract.names)]
    assert list(table[0]) == [*header, *added]
    rows = [{**row, "Glucose": row["Glucose"] or None} for row in ROWS]
    answer = explained(client, {"rows": rows})
    for cells, explanation in zip(table, answer["explanations"], strict=True):
        parts = {
            f"contribution_{c['feature']}": c["log_odds"] for c in explanation["contributions"]
        }
        assert {name: float(cells[name]) for name in parts} == pytest.approx(parts, rel=1e-12)
        assert float(cells["base"]) == explanation["base"]


def test_a_table_must_leave_room_for_its_explanations(client):
    text = "Glucose,Age,Smoker,contribution_Age\n148,50,1,x\n"
    response = client.post("/explain", data=text, content_type="text/csv")
    assert response.status_code == 422
    assert "contribution_Age, which the answer adds" in response.get_json()["detail"]
    assert client.post("/predict", data=text, content_type="text/csv").status_code == 200


def test_what_is_no_row_is_refused_as_by_predict(client):
    for body in (b"", b"[]", b"{", json.dumps({**ROW, "Age": 5}).encode()):
        answers = [
            client.post(path, data=body, content_type="application/json")
            for path in ("/predict", "/explain")
        ]
        predicted, explained_ = ((a.status_code, a.get_json()) for a in answers)
        assert predicted == explained_
    assert client.post("/explain", data=b"x", content_type="text/plain").status_code == 415
    assert client.get("/explain").status_code == 405


def test_more_rows_than_are_explained_are_refused(make_app):
    client = make_app(max_explained=2).test_client()
    response = client.post("/explain", json={"rows": [ROW] * 3})
    assert response.status_code == 413
    assert response.get_json()["detail"] == (
        "The body has more than 2 rows, the most taken at once."
    )
    table = "Glucose,Age,Smoker\n" + "148,50,1\n" * 3
    assert client.post("/explain", data=table, content_type="text/csv").status_code == 413
    assert client.post("/predict", json={"rows": [ROW] * 3}).status_code == 200


def test_fewer_background_rows_are_taken_where_all_would_take_too_long(make_app, served):
    of_one = served.scorer.explainer._products
    client = make_app(max_products=2 * 25 * of_one).test_client()
    assert explained(client, {"rows": [ROW] * 2})["background"] == 25
    assert explained(client, ROW)["background"] == BACKGROUND


def test_rows_that_would_leave_too_few_of_them_are_refused(make_app, served):
    most = 2 * FEWEST_BACKGROUND * served.scorer.explainer._products
    client = make_app(max_products=most).test_client()
    response = client.post("/explain", json={"rows": [ROW] * 3})
    assert response.status_code == 413
    assert response.get_json()["detail"] == (
        "So many rows take too long to explain with this model: send at most 2 at once."
    )
    assert explained(client, {"rows": [ROW] * 2})["background"] == FEWEST_BACKGROUND
    response = make_app(max_products=1).test_client().post("/explain", json=ROW)
    assert response.status_code == 413
    assert "SERVING_MAX_PRODUCTS" in response.get_json()["detail"]


def test_an_explanation_that_takes_too_long_is_given_up(make_app):
    response = make_app(deadline=1e-6).test_client().post("/explain", json=ROW)
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert "was not ready within the deadline" in response.get_json()["detail"]


def test_an_answer_that_is_not_made_up_is_no_explanation(client, served, caplog):
    served.scorer.explainer.bias += 1e-7
    response = client.post("/explain", json=ROW)
    assert response.status_code == 500
    assert "explanations" not in response.get_json()
    assert "cannot be explained: contributions add up to a probability that is off" in caplog.text
    assert client.post("/predict", json=ROW).status_code == 200


def test_places_are_their_own(app, monkeypatch):
    taken = [app.wsgi_app._explanations.acquire(blocking=False) for _ in range(EXPLANATIONS)]
    assert all(taken)
    assert post(app, "/explain").status == 503
    assert post(app, "/predict").status == 200
    for _ in taken:
        app.wsgi_app._explanations.release()
    assert post(app, "/explain").status == 200


def test_a_place_is_given_back(app):
    for _ in range(EXPLANATIONS + 1):
        assert post(app, "/explain").status == 200
        assert post(app, "/explain", BODY[:-1]).status == 400


def test_the_document_describes_it(client, contract):
    document = client.get("/openapi.json").get_json()
    OpenAPIV31SpecValidator(document).validate()
    operation = document["paths"]["/explain"]["post"]
    assert {*operation["responses"]} == {"200", "400", "408", "413", "415", "422", "503"}
    (parameter,) = document["paths"]["/explain"]["parameters"]
    assert parameter["schema"] == {"enum": ["no", "yes"]}
    schema = {"$ref": "#/components/schemas/ExplainedAnswer", "components": document["components"]}
    assert [*Draft202012Validator(schema).iter_errors(explained(client, {"rows": ROWS}))] == []


def test_the_contract_says_how_many_rows_may_be_explained(client, settings):
    assert client.get("/contract").get_json()["max_explained"] == settings.max_explained


def test_it_is_counted_but_not_as_more_predictions(client):
    client.post("/predict", json={"rows": ROWS})
    explained(client, {"rows": ROWS})
    figures = client.get("/metrics").get_data(as_text=True)
    assert "serving_probability_count 4.0" in figures
    counted = re.findall(r"serving_predictions_total\{.*\} (\S+)", figures)
    assert sum(map(float, counted)) == 4
    assert 'serving_rows_total{route="/explain"} 4.0' in figures
    assert 'serving_requests_total{method="POST",route="/explain",status="200"} 1.0' in figures


def test_a_version_without_explanations_says_so(settings, make_model, make_app, tmp_path):
    version = Version(NAME, "2", "production", make_model(tmp_path / "old"))
    versions.adopt(settings.store, tmp_path / "old", version)
    versions.switch(settings.store, version)
    client = make_app(served=load_served(settings)).test_client()
    assert client.post("/predict", json=ROW).status_code == 200
    response = client.post("/explain", json=ROW)
    assert response.status_code == 404
    assert response.get_json()["detail"].startswith("Version 2 came without what explanations")
    assert client.get("/contract").get_json()["max_explained"] == 0
    assert "/explain" not in client.get("/openapi.json").get_json()["paths"]
