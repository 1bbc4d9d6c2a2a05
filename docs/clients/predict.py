"""Ask the service for one prediction: python predict.py [--explain] [URL [ROW]], the row as JSON.

With --explain it says as well how much each value raises or lowers the log-odds of the class.
SERVING_API_KEY in the environment is the key, where the service wants one. The standard library
is enough, so there is nothing to install beside this file.
"""

import json
import os
import sys
import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

TRIES = 5
ROW: dict[str, Any] = {
    "Pregnancies": 6,
    "Glucose": 148,
    "BloodPressure": 72,
    "SkinThickness": 35,
    "Insulin": None,  # not known
    "BMI": 33.6,
    "DiabetesPedigreeFunction": 0.627,
    "Age": 50,
}


def ask(url: str, row: dict[str, Any]) -> dict[str, Any]:
    """Send a row to /predict or /explain; of one row there is one prediction, and explanation."""
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("SERVING_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    request = Request(url, json.dumps(row).encode(), headers)
    for tries_left in reversed(range(TRIES)):
        try:
            # Without a timeout, a service that hangs would hang its clients too.
            with urlopen(request, timeout=30) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except HTTPError as error:
            if error.code != 503 or not tries_left:
                sys.exit(problem(error))
            after = error.headers.get("Retry-After", "")
            time.sleep(int(after) if after.isdecimal() else 5)
        except OSError as error:
            sys.exit(f"{url} cannot be reached: {getattr(error, 'reason', error)}")
    raise AssertionError("the last try returns or exits")


def problem(error: HTTPError) -> str:
    try:
        told = json.load(error)
    except ValueError:  # not the service's answer, but that of a proxy before it
        told = {}
    detail = told.get("detail", f"The answer has the status {error.code}.")
    fields = [f"  {field['pointer']}: {field['detail']}" for field in told.get("errors", [])]
    return "\n".join([detail, *fields])


def to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    words = sys.argv[1:]
    path = "predict"
    if words[:1] == ["--explain"]:
        path = words.pop(0).removeprefix("--")
    url = words[0] if words else "http://127.0.0.1:8000"
    answer = ask(f"{url}/{path}", json.loads(words[1]) if len(words) > 1 else ROW)
    prediction = answer["predictions"][0]
    # Of more than two classes each has a probability.
    probability = prediction.get("probability", prediction.get("probabilities"))
    print(f"label {prediction['label']}, probability {to_json(probability)}")
    for warning in prediction["warnings"]:
        print(f"warning: {warning}")
    for found in answer.get("explanations", []):
        print(f"log-odds of {found['class']}: {found['log_odds']}, on average {found['base']}")
        for each in found["contributions"]:
            print(f"{each['log_odds']} from {each['feature']} {to_json(each['value'])}")
