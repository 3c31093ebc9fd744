"""The report's section on the service: figures from its Prometheus metrics."""

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


def test_requests_lists_and_fallback_share_are_summed_over_routes_and_lanes():
    metrics = service.parse(METRICS)
    assert (metrics["served_requests"], metrics["served_lists"]) == (200, 200)
    assert metrics["served_fallback_share"] == 0.25
    # Rank 198 of 200 is number 118 of the 120 requests between 10 and 20 ms.
    assert math.isclose(metrics["served_p99_ms"], 10 + 10 * 118 / 120)


@pytest.mark.parametrize(
    ("buckets", "median"),
    [
        ([(1.0, 0.0), (2.0, 4.0), (math.inf, 4.0)], 1.5),
        ([(1.0, 4.0), (math.inf, 4.0)], 0.5),
        ([(1.0, 1.0), (2.0, 1.0), (math.inf, 4.0)], 2.0),  # beyond every finite bound: the last of them
    ],
)
def test_a_quantile_lies_within_its_bucket(buckets, median):
    assert service.quantile(buckets, 0.5) == median


def test_a_service_without_requests_is_reported_as_such():
    section = service.service(record(metrics=(metrics := service.parse(""))), metrics)
    assert section.sentence == "The service has returned no recommendations since it started."


def test_the_metrics_are_fetched_with_the_key_and_a_failure_is_explained(serve, tmp_path):
    async def metrics(request):
        is_allowed = request.headers.get("Authorization") == "Bearer of the night"
        return PlainTextResponse(METRICS if is_allowed else "", status_code=200 if is_allowed else 401)

    address = serve(Starlette(routes=[Route("/metrics", metrics)]))
    with fresh_home(tmp_path, SERVICE_URL=address, SERVICE_KEY="of the night"):
        fetched = service.fetch()
        assert fetched["served_lists"] == 200
        assert service.service(record(metrics=fetched), fetched).sentence == (
            "Of 200 requests since the service started, 99 % took under 19.8 ms,"
            " and 25 % of the lists went to unknown customers or anonymous visitors."
        )
    with fresh_home(tmp_path, SERVICE_URL=address, SERVICE_KEY="of yesterday"):
        sentence = service.service(record(), service.fetch()).sentence
        assert sentence.startswith("The service's metrics could not be read: ")
        assert "NIGHTSHELF_SERVICE_KEY" in sentence
    with fresh_home(tmp_path, SERVICE_URL="http://127.0.0.1:1"):
        sentence = service.service(record(), service.fetch()).sentence
        assert "http://127.0.0.1:1" in sentence
        assert "NIGHTSHELF_SERVICE_URL" in sentence
