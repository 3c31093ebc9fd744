"""Parses a night report: its figures, its texts and the resources that it would load."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = ("meta", "link", "img", "br", "hr", "input")


@dataclass(frozen=True)
class Figure:
    """A number on the page with the MLflow metric that it names; run: a child run's id, or empty."""

    metric: str
    run: str
    value: float


@dataclass
class Page(HTMLParser):
    """A parsed page; loads: URLs that a browser would fetch, open_tags: elements not yet closed."""

    figures: list = field(default_factory=list)
    links: list = field(default_factory=list)
    loads: list = field(default_factory=list)
    tags: set = field(default_factory=set)
    words: list = field(default_factory=list)
    ids: list = field(default_factory=list)
    open_tags: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.add(tag)
        self.ids += [values["id"]] if "id" in values else []
        if "data-metric" in values:
            run = values.get("data-run", "")
            self.figures.append(Figure(values["data-metric"], run, float(values["data-value"])))
        self.links += [values["href"]] if "href" in values else []
        self.loads += [values[name] for name in ("src", "srcset", "poster", "data") if name in values]
        assert not any(name == "style" or name.startswith("on") for name in values), attrs
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open_tags.pop()

    def handle_endtag(self, tag):
        assert self.open_tags.pop() == tag

    def handle_data(self, data):
        if data.strip() and self.open_tags[-1] != "style":
            self.words.append(" ".join(data.split()))

    @property
    def text(self):
        return " ".join(self.words)


def read(html):
    """Returns the parsed page; fails if a tag is not closed or an id is not unique."""
    page = Page()
    page.feed(html)
    page.close()
    assert page.open_tags == []
    assert len(page.ids) == len(set(page.ids))
    return page


def wrong_figures(page, client, run_id):
    """Returns a page's figures that differ from MLflow; run_id: the run of figures that name none."""
    runs = {
        run or run_id: client.get_run(run or run_id).data.metrics
        for run in {figure.run for figure in page.figures}
    }
    return [
        figure for figure in page.figures if runs[figure.run or run_id].get(figure.metric) != figure.value
    ]
