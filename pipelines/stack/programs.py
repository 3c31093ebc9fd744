"""Which programs the stack has, what they listen on, and how to tell that one is up."""

import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from pipelines.settings import Settings, address
from serving.errors import NightshelfError

Check = Callable[[httpx.Client], bool]


@dataclass(frozen=True)
class Program:
    """One server: its command, how to tell that it is up, its port's setting, and what must be up before."""

    name: str
    command: tuple[str, ...]
    up: Check
    port_setting: str | None = None
    after: str | None = None


def programs(settings: Settings) -> list[Program]:
    """The stack of these settings; a shop or an MLflow that runs elsewhere already isn't started."""
    found = [*_airflow(settings), _service(settings)]
    if not settings.mlflow_uri:
        found.insert(0, _mlflow(settings))
    if settings.source == "shop-api" and settings.is_demo_shop:
        found.insert(0, _shop(settings))
    return found


def check_ports(settings: Settings, programs: Iterable[Program]) -> None:
    """Nothing, where every port is free; else raises NightshelfError naming port, program and setting."""
    with ExitStack() as held:
        for program in programs:
            if program.port_setting:
                port = getattr(settings, program.port_setting)
                held.enter_context(_listen(settings.host, port, program))


def _listen(host: str, port: int, program: Program) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise NightshelfError(
            f"{program.name} can't listen on port {port} of {host} ({reason}):"
            f" end what uses it, or set NIGHTSHELF_{str(program.port_setting).upper()} to another"
        ) from None


def _shop(s: Settings) -> Program:
    up = _answers(f"{address(s, s.shop_port)}/health")
    return Program("demo-shop", script("nightshelf", "demo-shop"), up, "shop_port")


def _mlflow(s: Settings) -> Program:
    home = (s.home / "mlruns").resolve()
    command = script(
        "mlflow",
        "server",
        *("--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}"),
        # Clients write artifacts themselves, so that those with and without a server find the same files.
        *("--default-artifact-root", str(home / "artifacts"), "--no-serve-artifacts"),
        *("--host", s.host, "--port", str(s.mlflow_port), "--workers", "1"),
    )
    return Program("mlflow", command, _answers(f"{address(s, s.mlflow_port)}/health"), "mlflow_port")


def _airflow(s: Settings) -> list[Program]:
    health = f"{address(s, s.airflow_port)}/api/v2/monitor/health"
    # The API server reads the logs from the disk; a log server would listen on every address.
    scheduler = script("airflow", "scheduler", "--skip-serve-logs")
    return [
        Program("airflow", script("airflow", "api-server"), _answers(health), "airflow_port"),
        # It goes on with an interrupted run at once, and tasks fail where the API server isn't up.
        Program("airflow-scheduler", scheduler, _beats(health, "scheduler"), after="airflow"),
        Program("airflow-dag-processor", script("airflow", "dag-processor"), _beats(health, "dag_processor")),
    ]


def _service(s: Settings) -> Program:
    command = script(
        "bentoml", "serve", "serving.service:Nightshelf", "--host", s.host, "--port", str(s.serving_port)
    )
    return Program("service", command, _answers(f"{address(s, s.serving_port)}/livez"), "serving_port")


def script(name: str, *arguments: str) -> tuple[str, ...]:
    """The command line of a script of this environment."""
    return (str(Path(sys.executable).with_name(name)), *arguments)


def _answers(url: str) -> Check:
    return lambda http: http.get(url).status_code < httpx.codes.INTERNAL_SERVER_ERROR


def _beats(url: str, component: str) -> Check:
    return lambda http: bool(http.get(url).json()[component]["status"] == "healthy")
