"""The expectations of Great Expectations that every nightly run has to meet."""

import logging
import os
from pathlib import Path

# Both must be set before `great_expectations` is imported: on import it logs 200 lines at INFO, and it reads
# its analytics setting from the environment.
logging.getLogger("great_expectations").setLevel(logging.WARNING)
os.environ["GX_ANALYTICS_ENABLED"] = "false"


def data_docs(home: Path) -> Path:
    """Returns the path of the Data Docs' index page; it exists once a nightly run was validated."""
    return home / "expectations" / "gx" / "uncommitted" / "data_docs" / "local_site" / "index.html"
