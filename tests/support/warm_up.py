"""Compiles the code of the second stage, and keeps the machine code for later processes."""

import numpy as np
import random_bundles

from serving.live.opening import warm_up

warm_up(random_bundles.draw(np.random.default_rng(1)))
