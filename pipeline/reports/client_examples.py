"""Client examples for a version in several languages, with a row that the contract allows."""

import json
import shlex
from typing import Any

from serving.model.contract import Contract

URL = "http://127.0.0.1:8000/predict"


def calls(contract: Contract) -> dict[str, tuple[str, str]]:
    """Return by title the language, for colouring, and the code that asks for one prediction."""
    row = contract.example()
    as_json = json.dumps(row, ensure_ascii=False, indent=2)
    return {
        "curl": ("sh", _curl(as_json)),
        "Python": ("python", _python(row)),
        "JavaScript": ("js", _javascript(as_json)),
        "PHP": ("php", _php(row)),
    }


def _curl(as_json: str) -> str:
    return (
        f"curl -s {URL} \\\n  -H 'Content-Type: application/json' \\\n  -d {shlex.quote(as_json)}"
    )


def _python(row: dict[str, Any]) -> str:
    pairs = "".join(f"    {name!r}: {value!r},\n" for name, value in row.items())
    return (
        "import json\n"
        "from urllib.request import Request, urlopen\n\n"
        f"row = {{\n{pairs}}}\n"
        f'request = Request("{URL}", json.dumps(row).encode(), '
        '{"Content-Type": "application/json"})\n'
        "with urlopen(request) as response:\n"
        '    print(json.load(response)["predictions"][0])'
    )


def _javascript(as_json: str) -> str:
    return (
        f"const row = {as_json};\n"
        f'fetch("{URL}", {{\n'
        '  method: "POST",\n'
        '  headers: { "Content-Type": "application/json" },\n'
        "  body: JSON.stringify(row),\n"
        "})\n"
        "  .then((response) => response.json())\n"
        "  .then((answer) => console.log(answer.predictions[0]));"
    )


def _php(row: dict[str, Any]) -> str:
    pairs = "".join(f"    {_quoted(name)} => {_literal(value)},\n" for name, value in row.items())
    return (
        "<?php\n"
        f"$row = [\n{pairs}];\n"
        "$context = stream_context_create(['http' => [\n"
        "    'method' => 'POST',\n"
        "    'header' => 'Content-Type: application/json',\n"
        "    'content' => json_encode($row),\n"
        "]]);\n"
        f"$answer = json_decode(file_get_contents('{URL}', false, $context), true);\n"
        "print_r($answer['predictions'][0]);"
    )


def _literal(value: Any) -> str:
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
