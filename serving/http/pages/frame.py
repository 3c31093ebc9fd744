"""The frame of all pages: head, navigation, and the headers that restrict what a browser may load."""

from html import escape

from starlette.responses import HTMLResponse

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # "no-referrer" would make browsers hide the sign-in form's Origin
    "X-Frame-Options": "DENY",
}
LINKS = {"./": "Storefront", "nights": "Nightly reports", "docs": "Routes"}
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="pages/style.css">
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<a class="brand" href="./">Nightshelf</a>
<nav aria-label="Pages">{links}</nav>{sign_out}
</header>
{body}
</html>
"""
SIGN_OUT = (
    '<form method="post" action="sign-out"><button class="quiet" id="sign-out">Sign out</button></form>'
)


def page(title: str, body: str, status: int = 200, signed_in: bool = False) -> HTMLResponse:
    """Returns a complete HTML page around a body. signed_in: adds the sign-out button."""
    html = PAGE.format(title=escape(title), links=_links(), sign_out=SIGN_OUT * signed_in, body=body)
    return HTMLResponse(html, status, HEADERS)


def _links() -> str:
    return "".join(f'<a href="{address}">{name}</a>' for address, name in LINKS.items())
