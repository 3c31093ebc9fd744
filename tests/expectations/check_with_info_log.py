"""Checks two nightly runs while every logger writes at INFO: python check_with_info_log.py HOME.

Prints one line per log record, "LOGGER LEVEL PATH-OF-THE-CALLER", and at last "analytics SETTING".
"""

import datetime as dt
import logging
import os
import sys
from pathlib import Path

logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(pathname)s", stream=sys.stdout)

from expectations import context  # noqa: E402  # its import logs, too
from expectations.measure import Measure  # noqa: E402
from expectations.suites import Expectation  # noqa: E402

NIGHT = dt.date(2026, 1, 31)
EXPECTATION = Expectation("orders", "orders", "critical", 0.5, None, "orders are missing")

for days in range(2):
    day = NIGHT + dt.timedelta(days=days)
    context.check(Path(sys.argv[1]), day, [EXPECTATION], [Measure("orders", day, 0.1, "1 order")])
logging.getLogger("tests").info("the log works")
print("analytics", os.environ["GX_ANALYTICS_ENABLED"])
