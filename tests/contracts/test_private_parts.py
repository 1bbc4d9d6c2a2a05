"""Parts of libraries that we use though they do not promise them, and whose loss is silent."""

import ast
import inspect

from gunicorn.arbiter import Arbiter
from gunicorn.http.unreader import Unreader


def test_gunicorn_s_master_looks_after_workers_by_a_method() -> None:
    """The supervisor takes its place."""
    assert "self.manage_workers()" in inspect.getsource(Arbiter.run)


def test_gunicorn_keeps_what_it_read_too_much_in_a_buffer() -> None:
    unreader = Unreader()
    unreader.unread(b"GET")
    assert unreader.buf.getvalue() == b"GET"


def test_mlflow_reads_how_often_to_try_a_database_when_it_tries() -> None:
    """A constant that is read by a function takes the follower's value."""
    from mlflow.store.db import utils

    assert isinstance(utils.MAX_RETRY_COUNT, int)
    readers = [
        function.name
        for function in ast.walk(ast.parse(inspect.getsource(utils)))
        if isinstance(function, ast.FunctionDef)
        for name in ast.walk(function)
        if isinstance(name, ast.Name) and name.id == "MAX_RETRY_COUNT"
    ]
    assert readers
