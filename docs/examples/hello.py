"""The guide's first application: no part of the service.

Try it with `flask --app docs.examples.hello run`, then with `gunicorn docs.examples.hello:app`.
"""

from flask import Flask
from markupsafe import escape

app = Flask(__name__)


@app.get("/users/<username>")
def welcome(username: str) -> str:
    # What a function gives is sent as HTML, where a name with `<` in it would become markup.
    return f"Welcome {escape(username)} to Ekimetrics!"
