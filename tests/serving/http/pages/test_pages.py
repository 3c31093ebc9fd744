"""The pages as they are sent: what a browser may do on them, and that they are whole without another host."""

import re
from pathlib import Path

import bundles
import httpx
import pytest
from clients import Client
from documented import DOCUMENT

from serving.http import pages
from serving.http.pages import docs
from serving.http.routes import create_app
from serving.live.served import ServingState

FILES = sorted(path.name for path in Path(pages.__file__).parent.iterdir() if path.suffix in (".js", ".css"))


@pytest.mark.parametrize("path", ["/", "/docs", "/sign-in"])
def test_a_page_may_load_and_send_nothing_beyond_the_service(client: Client, path: str) -> None:
    page = client.get(path)
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert {one.partition(" ")[2] for one in policy[1:]} <= {"'self'", "'self' data:", "'none'"}
    assert {"base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"} <= {*policy}
    assert (page.headers["X-Frame-Options"], page.headers["Referrer-Policy"]) == ("DENY", "same-origin")
    outside = page.text.replace("http://127.0.0.1:3000", "")
    assert not re.search(r"https?:|style=|<script>|\son\w+=", outside)


@pytest.mark.parametrize("file", FILES)
def test_a_file_names_no_other_host(client: Client, file: str) -> None:
    sent = client.get(f"/pages/{file}")
    wanted = "text/css; charset=utf-8" if file.endswith(".css") else "text/javascript; charset=utf-8"
    assert (sent.status_code, sent.headers["Content-Type"]) == (200, wanted)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", sent.text)


def test_other_files_are_not_sent(client: Client) -> None:
    for name in ("frame.py", "storefront.html", "nothing.js", "..%2fguard.py"):
        assert client.get(f"/pages/{name}").status_code == 404


def test_the_routes_page_tells_all(client: Client) -> None:
    page = client.get("/docs").text
    for method, path, told in docs.operations(DOCUMENT):
        assert f"<code>{method} {path}</code>" in page
        assert f'<a href="#{told["operationId"]}">' in page
        assert all(f"<code>{name}</code>" in page for name in docs.request_fields(told))


def test_the_pages_are_there_before_any_model() -> None:
    client = Client(create_app(ServingState(None, "the night has not come"), bundles.KEY))
    assert [client.get(path).status_code for path in ("/", "/docs", "/sign-in")] == [200, 200, 200]


def test_sign_out_is_offered_to_who_has_signed_in(client: Client) -> None:
    def offered(response: httpx.Response) -> bool:
        return "sign-out" in response.text

    assert not offered(client.get("/"))
    assert offered(client.get("/", headers={"Cookie": "nightshelf_key=one"}))
