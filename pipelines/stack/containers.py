"""`nightshelf prepare-containers`: prepares what the servers of docker/compose.yaml need to start."""

import os

from pipelines.settings import Settings
from pipelines.stack.airflow_home import migrate, write_passwords
from serving.access import keys

OWN_KEY = "nightshelf"  # the name of the API key that the nightly run uses


def prepare(settings: Settings) -> None:
    """Writes Airflow's password file, stores NIGHTSHELF_SERVICE_KEY as an API key, migrates the database.

    Raises NightshelfError if the migration fails, or if the key could be guessed.
    """
    write_passwords(settings, os.environ)
    keys.put(settings.keys_path, OWN_KEY, "read", settings.service_key.get_secret_value())
    migrate(settings, os.environ)  # at each start, because the database's volume may be new
