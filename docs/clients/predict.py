"""Ask the service for one prediction: python predict.py [URL [ROW]], the row as JSON.

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


def predict(url: str, row: dict[str, Any]) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("SERVING_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    request = Request(f"{url}/predict", json.dumps(row).encode(), headers)
    for tries_left in reversed(range(TRIES)):
        try:
            # Without a timeout, a service that hangs would hang its clients too.
            with urlopen(request, timeout=30) as response:
                prediction: dict[str, Any] = json.load(response)["predictions"][0]
                return prediction
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


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    row = json.loads(sys.argv[2]) if len(sys.argv) > 2 else ROW
    prediction = predict(url, row)
    # Of more than two classes each has a probability.
    probability = prediction.get("probability", prediction.get("probabilities"))
    print(f"label {prediction['label']}, probability {json.dumps(probability, ensure_ascii=False)}")
    for warning in prediction["warnings"]:
        print(f"warning: {warning}")
