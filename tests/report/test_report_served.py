import math

import pytest
from homes import fresh_home
from runs import record
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pipelines.report import service

METRICS = """\
# HELP nightshelf_request_seconds Seconds that a request took
# TYPE nightshelf_request_seconds histogram
nightshelf_request_seconds_bucket{le="0.01",method="GET",route="/v1/c/recommendations",status="200"} 80.0
nightshelf_request_seconds_bucket{le="0.02",method="GET",route="/v1/c/recommendations",status="200"} 100.0
nightshelf_request_seconds_bucket{le="+Inf",method="GET",route="/v1/c/recommendations",status="200"} 100.0
nightshelf_request_seconds_bucket{le="0.01",method="POST",route="/v1/recommendations",status="200"} 0.0
nightshelf_request_seconds_bucket{le="0.02",method="POST",route="/v1/recommendations",status="200"} 100.0
nightshelf_request_seconds_bucket{le="+Inf",method="POST",route="/v1/recommendations",status="200"} 100.0
nightshelf_request_seconds_bucket{le="0.01",method="GET",route="/docs",status="200"} 0.0
nightshelf_request_seconds_bucket{le="+Inf",method="GET",route="/docs",status="200"} 9.0
# TYPE nightshelf_answers counter
nightshelf_answers_total{known="true",lane="for-you"} 75.0
nightshelf_answers_total{known="true",lane="discover"} 75.0
nightshelf_answers_total{known="false",lane="for-you"} 50.0
"""


def test_requests_of_all_lists_and_the_share_for_strangers_are_added_up():
    found = service.told(METRICS)
    assert (found["served_requests"], found["served_lists"]) == (200, 200)
    assert found["served_fallback_share"] == 0.25
    # 198 of 200 lie at 118 of the 120 between 10 and 20 ms.
    assert math.isclose(found["served_p99_ms"], 10 + 10 * 118 / 120)


@pytest.mark.parametrize(
    ("buckets", "median"),
    [
        ([(1.0, 0.0), (2.0, 4.0), (math.inf, 4.0)], 1.5),
        ([(1.0, 4.0), (math.inf, 4.0)], 0.5),
        ([(1.0, 1.0), (2.0, 1.0), (math.inf, 4.0)], 2.0),  # beyond all bounds: the last
    ],
)
def test_a_quantile_lies_within_its_bucket(buckets, median):
    assert service.quantile(buckets, 0.5) == median


def test_a_service_that_was_asked_nothing_is_told_so():
    found = service.served(record(metrics=(told := service.told(""))), told)
    assert found.sentence == "The service has given no recommendations since it started."


def test_the_service_is_asked_with_the_key_and_what_is_in_the_way_is_said(serve, tmp_path):
    async def metrics(request):
        allowed = request.headers.get("Authorization") == "Bearer of the night"
        return PlainTextResponse(METRICS if allowed else "", status_code=200 if allowed else 401)

    address = serve(Starlette(routes=[Route("/metrics", metrics)]))
    with fresh_home(tmp_path, SERVICE_URL=address, SERVICE_KEY="of the night"):
        found = service.ask()
        assert found["served_lists"] == 200
        told = service.served(record(metrics=found), found)
        assert told.sentence == (
            "Of 200 requests since the service started 99 % took under 19.8 ms,"
            " and 25 % of the lists were for strangers."
        )
    with fresh_home(tmp_path, SERVICE_URL=address, SERVICE_KEY="of yesterday"):
        refused = service.served(record(), service.ask()).sentence
        assert refused.startswith("How the service fares is not known: ")
        assert refused.endswith("the service asks for another key than NIGHTSHELF_SERVICE_KEY.")
    with fresh_home(tmp_path, SERVICE_URL="http://127.0.0.1:1"):
        assert "does not answer at http://127.0.0.1:1" in service.served(record(), service.ask()).sentence
