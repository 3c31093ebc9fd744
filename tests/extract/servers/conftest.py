"""Real shops: a Vendure server and a Medusa server, each started once for all tests of a process."""

import shutil
from pathlib import Path

import httpx
import medusa_shop
import npm
import pytest
import vendure_shop
from databases import new_database
from processes import free_port
