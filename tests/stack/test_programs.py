"""The programs of `nightshelf up`: their ports, addresses and order."""

import socket

import pytest
from ports import free_ports

from pipelines.settings import Settings
from pipelines.stack.programs import check_ports, programs
from serving.errors import NightshelfError

PORTS = ("shop_port", "mlflow_port", "airflow_port", "serving_port")


@pytest.fixture
def ports(home):
    """A free port for each server."""
    return dict(zip(PORTS, free_ports(len(PORTS)), strict=True))


def settings_of(ports, **chosen):
    return Settings(**ports, **chosen)


def names(settings):
    return {program.name for program in programs(settings)}


def test_accepts_free_ports(ports):
    check_ports(settings_of(ports), programs(settings_of(ports)))


@pytest.mark.parametrize(
    ("setting", "program"), list(zip(PORTS, ["demo-shop", "mlflow", "airflow", "service"], strict=True))
)
def test_a_port_in_use_is_an_error_naming_program_and_setting(ports, setting, program):
    message = rf"{program} can't listen on port {ports[setting]} .*already in use.*_{setting.upper()}"
    with socket.create_server(("127.0.0.1", ports[setting])), pytest.raises(NightshelfError, match=message):
        check_ports(settings_of(ports), programs(settings_of(ports)))


def test_two_programs_with_the_same_port_are_an_error(ports):
    shared = settings_of(ports | {"serving_port": ports["mlflow_port"]})
    with pytest.raises(NightshelfError, match="service can't listen"):
        check_ports(shared, programs(shared))


def test_the_stack_has_every_program(ports):
    airflow = {"airflow", "airflow-scheduler", "airflow-dag-processor"}
    assert names(settings_of(ports)) == {"demo-shop", "mlflow", "service"} | airflow


@pytest.mark.parametrize("chosen", [{"shop_url": "https://shop.example"}, {"source": "files"}])
def test_starts_no_demo_shop_if_orders_come_from_elsewhere(ports, chosen):
    assert "demo-shop" not in names(settings_of(ports, **chosen))


def test_starts_no_mlflow_if_it_runs_elsewhere(ports):
    assert "mlflow" not in names(settings_of(ports, mlflow_uri="http://mlflow.example"))


def test_the_scheduler_starts_after_the_api_server(ports):
    after = {program.name: program.starts_after for program in programs(settings_of(ports))}
    assert {name: first for name, first in after.items() if first} == {"airflow-scheduler": "airflow"}


def test_every_server_listens_only_on_the_chosen_address(ports):
    commands = {
        program.name: " ".join(program.command) for program in programs(settings_of(ports, host="127.0.0.2"))
    }
    assert "--host 127.0.0.2" in commands["mlflow"]
    assert "--host 127.0.0.2" in commands["service"]
    assert "--skip-serve-logs" in commands["airflow-scheduler"]  # Airflow's log server listens everywhere
