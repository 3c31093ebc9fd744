"""The dates of locked versions, from an index over real HTTP."""

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from docs.lock_dates import main

FILES = {
    "one-package": [
        {
            "filename": "one_package-1.0-py3-none-any.whl",
            "upload-time": "2024-02-03T04:05:06Z",
            "yanked": False,
        },
        {"filename": "one-package-1.0.tar.gz", "upload-time": "2024-02-02T04:05:06Z", "yanked": False},
        {"filename": "one_package-1.0.1.tar.gz", "upload-time": "2025-02-03T04:05:06Z", "yanked": False},
    ],
    "withdrawn": [
        {"filename": "withdrawn-2.tar.gz", "upload-time": "2023-01-01T00:00:00Z", "yanked": "broken"}
    ],
}
LOCK = "one-package==1.0 \\\n    --hash=sha256:00\nwithdrawn==2 ; python_version < '3.12' \\\nmissing==3\n"


@pytest.mark.fast
def test_lists_the_dates_of_locked_versions_the_oldest_first(serve, tmp_path, monkeypatch, capsys):
    def files(request):
        name = request.path_params["name"]
        return JSONResponse({"files": FILES[name]}) if name in FILES else JSONResponse({}, 404)

    monkeypatch.setenv(
        "PIP_INDEX_URL", serve(Starlette(routes=[Route("/simple/{name}/", files)])) + "/simple"
    )
    (tmp_path / "lock").write_text(LOCK)
    main(tmp_path / "lock")
    assert capsys.readouterr().out.split("\n") == [
        "2024-02-02   one-package 1.0",
        "no date      missing 3",
        "yanked       withdrawn 2",
        "",
    ]
