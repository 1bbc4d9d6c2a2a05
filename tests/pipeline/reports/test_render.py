import jinja2
import pytest

from pipeline.reports.render import render


def test_a_page_lacks_nothing_that_its_template_asks_for():
    with pytest.raises(jinja2.UndefinedError, match="'body' is undefined"):
        render("card.html", title="a title", images={})


def test_what_a_page_is_given_is_escaped():
    text = render("card.html", title="<b>&", body="", images={})
    assert "<title>&lt;b&gt;&amp;</title>" in text
