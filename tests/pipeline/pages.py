"""An HTML page, as a test looks at it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a page refers to, and the elements and ids that it has."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.references, self.ids = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [v for k, v in attrs if k in ("src", "href", "xlink:href")]
        self.ids += [v for k, v in attrs if k == "id"]
