"""Sign-in: the API key in a cookie that scripts cannot read and other sites cannot send."""

from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serving.access import keys, session
from serving.access.guard import Keyring
from serving.http.pages.frame import page

FORM = """<main id="content" class="narrow">
<h1>Sign in</h1>
<p>You need an API key of this service. <code>nightshelf keys add NAME --scope read</code> creates a key that
can read the storefront; to send events, it needs the scope <code>write</code>.</p>
<form method="post" action="sign-in">
<label for="key">API key</label>
<input id="key" name="key" type="password" required autocomplete="current-password"{described}>
{error}<button>Sign in</button>
</form>
</main>"""
ERROR = '<p id="wrong" class="wrong" role="alert">{message}</p>\n'
NO_KEY_NEEDED = """<main id="content" class="narrow">
<h1>Sign in</h1>
<p>You don't need an API key: there are none yet, and the service accepts only requests from this machine.
<a href="./">Go to the storefront</a></p>
</main>"""


def routes(keyring: Keyring | None) -> list[Route]:
    """Returns the routes to sign in and out. keyring: the API keys that are accepted."""

    async def form(request: Request) -> Response:
        return _form() if keyring and keyring.keys is not None else page("Sign in", NO_KEY_NEEDED)

    async def submit(request: Request) -> Response:
        if not session.is_same_origin(request.scope):
            return _form("The form was sent from another site. Enter the key on this page.", 403)
        secret = parse_qs((await request.body()).decode(errors="replace")).get("key", [""])[0].strip()
        if not keys.find((keyring and keyring.keys) or [], secret):
            return _form(
                "This API key is unknown. Check that you copied all of it and that it was not removed.", 401
            )
        return _signed_in(request, secret)

    async def sign_out(request: Request) -> Response:
        if not session.is_same_origin(request.scope):
            return _form("The form was sent from another site. Enter the key on this page.", 403)
        response = RedirectResponse("sign-in", 303)
        response.delete_cookie(session.COOKIE, httponly=True, samesite="strict")
        return response

    return [
        Route("/sign-in", form),
        Route("/sign-in", submit, methods=["POST"]),
        Route("/sign-out", sign_out, methods=["POST"]),
    ]


def _form(message: str = "", status: int = 200) -> Response:
    error = ERROR.format(message=message) if message else ""
    described = ' aria-describedby="wrong" aria-invalid="true"' if message else ""
    return page("Sign in", FORM.format(error=error, described=described), status)


def _signed_in(request: Request, secret: str) -> Response:
    """Returns a redirect to the storefront that signs the browser in."""
    response = RedirectResponse("./", 303)
    session.sign_in(request.scope, response, secret)
    return response
