"""The guide's first application, and no part of the service: nothing here imports it.

Try it with `flask --app serving.hello run`, and then with `gunicorn serving.hello:app`.
"""

from flask import Flask
from markupsafe import escape

# Without a folder of static files: the one beside this file is the service's.
app = Flask(__name__, static_folder=None)


@app.get("/users/<username>")
def welcome(username: str) -> str:
    # What a function gives is sent as HTML, where a name with `<` in it would become markup.
    return f"Welcome {escape(username)} to Ekimetrics!"
