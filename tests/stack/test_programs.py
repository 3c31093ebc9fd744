import socket

import pytest

from pipelines.settings import Settings
from pipelines.stack.programs import check_ports, programs
from serving.errors import NightshelfError

PORTS = ("shop_port", "mlflow_port", "airflow_port", "serving_port")


@pytest.fixture
def ports(home):
    """A free port for each server."""
    with_ports = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    free = {name: held.getsockname()[1] for name, held in zip(PORTS, with_ports, strict=True)}
    for held in with_ports:
        held.close()
    return free


def of(ports, **chosen):
    return Settings(**ports, **chosen)


def names(settings):
    return {program.name for program in programs(settings)}


def test_free_ports_will_do(ports):
    check_ports(of(ports), programs(of(ports)))


@pytest.mark.parametrize(
    ("setting", "who"), list(zip(PORTS, ["demo-shop", "mlflow", "airflow", "service"], strict=True))
)
def test_a_port_in_use_is_named_with_who_wants_it_and_the_setting(ports, setting, who):
    told = (
        f"{who} can't listen on port {ports[setting]} .*Address already in use.*NIGHTSHELF_{setting.upper()}"
    )
    with socket.create_server(("127.0.0.1", ports[setting])), pytest.raises(NightshelfError, match=told):
        check_ports(of(ports), programs(of(ports)))


def test_two_programs_can_not_share_a_port(ports):
    shared = of(ports | {"serving_port": ports["mlflow_port"]})
    with pytest.raises(NightshelfError, match="service can't listen"):
        check_ports(shared, programs(shared))


def test_the_whole_stack(ports):
    airflow = {"airflow", "airflow-scheduler", "airflow-dag-processor"}
    assert names(of(ports)) == {"demo-shop", "mlflow", "service"} | airflow


@pytest.mark.parametrize("chosen", [{"shop_url": "https://shop.example"}, {"source": "files"}])
def test_no_demo_shop_where_orders_come_from_elsewhere(ports, chosen):
    assert "demo-shop" not in names(of(ports, **chosen))


def test_no_mlflow_where_one_runs_elsewhere(ports):
    assert "mlflow" not in names(of(ports, mlflow_uri="http://mlflow.example"))


def test_the_scheduler_waits_for_the_api_server(ports):
    after = {program.name: program.after for program in programs(of(ports))}
    assert {name: first for name, first in after.items() if first} == {"airflow-scheduler": "airflow"}


def test_every_server_listens_on_the_chosen_address_alone(ports):
    commands = {program.name: " ".join(program.command) for program in programs(of(ports, host="127.0.0.2"))}
    assert "--host 127.0.0.2" in commands["mlflow"]
    assert "--host 127.0.0.2" in commands["service"]
    assert "--skip-serve-logs" in commands["airflow-scheduler"]  # Airflow's log server listens everywhere
