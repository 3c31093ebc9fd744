"""Sign-in: a key in a cookie that no script can read and no other site can send."""

from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serving.access import keys, session
from serving.access.guard import Keyring
from serving.http.pages.frame import page

FORM = """<main id="content" class="narrow">
<h1>Sign in</h1>
<p>This shop's recommendations are shown to who has a key of the service:
<code>nightshelf keys add NAME --scope read</code> makes one. To send events too, it needs the scope
<code>write</code>.</p>
<form method="post" action="sign-in">
<label for="key">Key</label>
<input id="key" name="key" type="password" required autocomplete="current-password"{described}>
{wrong}<button>Sign in</button>
</form>
</main>"""
ERROR = '<p id="wrong" class="wrong" role="alert">{said}</p>\n'
NO_KEY_NEEDED = """<main id="content" class="narrow">
<h1>Sign in</h1>
<p>No key is asked for here: the service answers this machine alone. <a href="./">To the storefront</a></p>
</main>"""


def routes(ring: Keyring | None) -> list[Route]:
    """The routes to sign in and out; ring: the keys that may be asked for."""

    async def form(request: Request) -> Response:
        return _form() if ring and ring.keys is not None else page("Sign in", NO_KEY_NEEDED)

    async def enter(request: Request) -> Response:
        if not session.is_same_origin(request.scope):
            return _form("The form was sent from another site. Try again here.", 403)
        secret = parse_qs((await request.body()).decode(errors="replace")).get("key", [""])[0].strip()
        if not keys.find((ring and ring.keys) or [], secret):
            return _form("No such key is known. Is it whole, and not removed?", 401)
        return _signed_in(request, secret)

    async def leave(request: Request) -> Response:
        if not session.is_same_origin(request.scope):
            return _form("The form was sent from another site. Try again here.", 403)
        gone = RedirectResponse("sign-in", 303)
        gone.delete_cookie(session.COOKIE, httponly=True, samesite="strict")
        return gone

    return [
        Route("/sign-in", form),
        Route("/sign-in", enter, methods=["POST"]),
        Route("/sign-out", leave, methods=["POST"]),
    ]


def _form(wrong: str = "", status: int = 200) -> Response:
    said = ERROR.format(said=wrong) if wrong else ""
    described = ' aria-describedby="wrong" aria-invalid="true"' if wrong else ""
    return page("Sign in", FORM.format(wrong=said, described=described), status)


def _signed_in(request: Request, secret: str) -> Response:
    """The way to the storefront, with the key in a cookie that ends with the browser."""
    found = RedirectResponse("./", 303)
    secure = session.is_secure(request.scope)
    found.set_cookie(session.COOKIE, secret, httponly=True, samesite="strict", secure=secure)
    return found
