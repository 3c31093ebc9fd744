"""The choices that a nightly run offers by name."""

from typing import Literal

Solver = Literal["auto", "implicit", "spark"]  # of ALS
SourceName = Literal["shop-api", "files", "sql", "mongo"]
Split = Literal["time", "random", "leave-last-out"]  # how purchases are held out for an evaluation
Step = Literal[
    "extract",
    "validate",
    "prepare",
    "backtest_champion",
    "association_rules",
    "evaluate",
    "register",
    "gate",
    "publish",
    "smoke",
]
AnyStep = Literal["begin", Step, "sweep", "report"]  # these three have signatures of their own
