"""Shared by MLflow's and Open Inference's protocols: a refusal is a 400 with one sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, request

from serving.errors import InvalidBodyError, MalformedBodyError
from serving.model.contract import Contract
from serving.model.rows import Rows
from serving.model.validation import InvalidRowsError
from serving.web.problems import error_answer


def checked(contract: Contract, rows: Sequence[Mapping[str, Any]], *, coded: bool = False) -> Rows:
    """Hold rows to the contract; `coded` ones have categories as numbers.

    Raises MalformedBodyError with the first violation and the number of all: these protocols have
    no list for the others.
    """
    try:
        return Rows.of(contract, rows, coded=coded)
    except InvalidRowsError as error:
        first = error.violations[0]
        more = f" ({error.in_all})" if error.total > 1 else ""
        raise MalformedBodyError(
            f"Row {first.row + 1}, {first.feature}: {first.detail}{more}."
        ) from error


def answer_400(error: InvalidBodyError) -> Response:
    """Answer with 400 where our own routes have 422, which these protocols do not know."""
    status, headers, body = error_answer(request.path, MalformedBodyError(error.detail))
    return Response(body, status, headers)
