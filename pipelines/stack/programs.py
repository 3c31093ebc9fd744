"""The programs of the stack: their commands, their ports, and how to check that each is up."""

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
    """A server.

    is_up: checks whether it is up. port_setting: the name of the setting with its port.
    starts_after: the name of the program that must be up before it starts. stop_signal: without SIG.
    """

    name: str
    command: tuple[str, ...]
    is_up: Check
    port_setting: str | None = None
    starts_after: str | None = None
    stop_signal: str = "TERM"


def programs(settings: Settings) -> list[Program]:
    """The programs of the stack; a shop or an MLflow that runs elsewhere isn't started."""
    return [*shop(settings), *mlflow(settings), *airflow(settings), service(settings)]


def check_ports(settings: Settings, programs: Iterable[Program]) -> None:
    """Raises NightshelfError naming port, program and setting if a port is in use."""
    with ExitStack() as sockets:
        for program in programs:
            if program.port_setting:
                port = getattr(settings, program.port_setting)
                sockets.enter_context(_listen(settings.host, port, program))


def _listen(host: str, port: int, program: Program) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise NightshelfError(
            f"{program.name} can't listen on port {port} of {host} ({reason}): stop the program that uses"
            f" the port, or set NIGHTSHELF_{str(program.port_setting).upper()} to another port"
        ) from None


def shop(s: Settings) -> list[Program]:
    """The demo shop, unless orders come from another source."""
    if s.source != "shop-api" or not s.is_demo_shop:
        return []
    is_up = responds(f"{address(s, s.shop_port)}/health")
    return [Program("demo-shop", script("nightshelf", "demo-shop"), is_up, "shop_port")]


def mlflow(s: Settings) -> list[Program]:
    """MLflow's server, unless MLflow runs elsewhere."""
    if s.mlflow_uri:
        return []
    home = (s.home / "mlruns").resolve()
    command = script(
        "mlflow",
        "server",
        *("--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}"),
        # Clients write artifacts themselves, so they see the same files with and without a server.
        *("--default-artifact-root", str(home / "artifacts"), "--no-serve-artifacts"),
        *("--host", s.host, "--port", str(s.mlflow_port), "--workers", "1"),
    )
    return [Program("mlflow", command, responds(f"{address(s, s.mlflow_port)}/health"), "mlflow_port")]


def airflow(s: Settings) -> list[Program]:
    """Airflow's API server, its scheduler with the executor, and its DAG processor."""
    health = f"{address(s, s.airflow_port)}/api/v2/monitor/health"
    # The API server reads the logs from the disk; a log server would listen on every address.
    scheduler = script("airflow", "scheduler", "--skip-serve-logs")
    processor = script("airflow", "dag-processor")
    return [
        Program("airflow", script("airflow", "api-server"), responds(health), "airflow_port"),
        # The scheduler resumes an interrupted run at once, and tasks fail without the API server.
        Program("airflow-scheduler", scheduler, _is_healthy(health, "scheduler"), starts_after="airflow"),
        Program("airflow-dag-processor", processor, _is_healthy(health, "dag_processor")),
    ]


def service(s: Settings, name: str = "service", port_setting: str = "serving_port") -> Program:
    """The BentoML service, at the port in a setting."""
    port = getattr(s, port_setting)
    command = script("bentoml", "serve", "serving.service:Nightshelf", "--host", s.host, "--port", str(port))
    return Program(name, command, responds(f"{address(s, port)}/livez"), port_setting)


def script(name: str, *arguments: str) -> tuple[str, ...]:
    """The command line of a script that is installed in this Python environment."""
    return (str(Path(sys.executable).with_name(name)), *arguments)


def responds(url: str) -> Check:
    """A check whether the URL responds with any status below 500."""
    return lambda http: http.get(url).status_code < httpx.codes.INTERNAL_SERVER_ERROR


def _is_healthy(url: str, component: str) -> Check:
    return lambda http: bool(http.get(url).json()[component]["status"] == "healthy")
