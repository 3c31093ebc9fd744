"""What must be there before the servers of docker/compose.yaml start."""

import os

from pipelines.settings import Settings
from pipelines.stack.airflow_home import migrate, write_passwords
from serving.access import keys

OWN_KEY = "nightshelf"  # the name of the key that the night report asks with


def prepare(settings: Settings) -> None:
    """Brings Airflow's database and password up to date, and lets the service know NIGHTSHELF_SERVICE_KEY.

    Raises NightshelfError where the migration fails, or the key could be guessed.
    """
    write_passwords(settings, os.environ)
    keys.put(settings.keys_path, OWN_KEY, "read", settings.service_key.get_secret_value())
    migrate(settings, os.environ)  # each time: the database is in a volume of its own, which may be new
