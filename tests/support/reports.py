"""Reads a night report as a browser would: its figures, its texts and what it would load."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

EMPTY = ("meta", "link", "img", "br", "hr", "input")


@dataclass(frozen=True)
class Figure:
    """A number of the page and the metric that it says it is; run: a child's id, or nothing."""

    metric: str
    run: str
    value: float


@dataclass
class Page(HTMLParser):
    """A parsed page. loads: what it would fetch; unclosed: tags that were left open."""

    figures: list = field(default_factory=list)
    links: list = field(default_factory=list)
    loads: list = field(default_factory=list)
    tags: set = field(default_factory=set)
    words: list = field(default_factory=list)
    ids: list = field(default_factory=list)
    opened: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.tags.add(tag)
        self.ids += [told["id"]] if "id" in told else []
        if "data-metric" in told:
            run = told.get("data-run", "")
            self.figures.append(Figure(told["data-metric"], run, float(told["data-value"])))
        self.links += [told["href"]] if "href" in told else []
        self.loads += [told[name] for name in ("src", "srcset", "poster", "data") if name in told]
        assert not any(name == "style" or name.startswith("on") for name in told), attrs
        if tag not in EMPTY:
            self.opened.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in EMPTY:
            self.opened.pop()

    def handle_endtag(self, tag):
        assert self.opened.pop() == tag

    def handle_data(self, data):
        if data.strip() and self.opened[-1] != "style":
            self.words.append(" ".join(data.split()))

    @property
    def text(self):
        return " ".join(self.words)


def read(html):
    page = Page()
    page.feed(html)
    page.close()
    assert page.opened == []
    assert len(page.ids) == len(set(page.ids))
    return page


def wrong(page, client, run_id):
    """The figures of a page that aren't what MLflow holds under their names."""
    runs = {
        run or run_id: client.get_run(run or run_id).data.metrics for run in {f.run for f in page.figures}
    }
    return [one for one in page.figures if runs[one.run or run_id].get(one.metric) != one.value]
