"""The pages as HTML: their security headers, and that they need no other host."""

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
def test_pages_load_from_and_send_to_this_service_only(client: Client, path: str) -> None:
    page = client.get(path)
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert {directive.partition(" ")[2] for directive in policy[1:]} <= {"'self'", "'self' data:", "'none'"}
    assert {"base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"} <= {*policy}
    assert (page.headers["X-Frame-Options"], page.headers["Referrer-Policy"]) == ("DENY", "same-origin")
    html = page.text.replace("http://127.0.0.1:3000", "")
    assert not re.search(r"https?:|style=|<script>|\son\w+=", html)


@pytest.mark.parametrize("file", FILES)
def test_files_name_no_other_host(client: Client, file: str) -> None:
    response = client.get(f"/pages/{file}")
    content_type = "text/css; charset=utf-8" if file.endswith(".css") else "text/javascript; charset=utf-8"
    assert (response.status_code, response.headers["Content-Type"]) == (200, content_type)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", response.text)


def test_returns_404_for_other_files(client: Client) -> None:
    for name in ("frame.py", "storefront.html", "nothing.js", "..%2fguard.py"):
        assert client.get(f"/pages/{name}").status_code == 404


def test_docs_page_documents_all_routes_and_fields(client: Client) -> None:
    page = client.get("/docs").text
    for method, path, operation in docs.operations(DOCUMENT):
        assert f"<code>{method} {path}</code>" in page
        assert f'<a href="#{operation["operationId"]}">' in page
        assert all(f"<code>{name}</code>" in page for name in docs.request_fields(operation))


def test_pages_are_served_before_any_model_is_live() -> None:
    client = Client(create_app(ServingState(None, "no nightly run has finished"), bundles.KEY))
    assert [client.get(path).status_code for path in ("/", "/docs", "/sign-in")] == [200, 200, 200]


def test_sign_out_is_offered_only_after_sign_in(client: Client) -> None:
    def offers_sign_out(response: httpx.Response) -> bool:
        return "sign-out" in response.text

    assert not offers_sign_out(client.get("/"))
    assert offers_sign_out(client.get("/", headers={"Cookie": "nightshelf_key=secret"}))
