from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.sim.__main__ import quiet


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    quiet()
    yield
    logging.disable(logging.NOTSET)
    structlog.reset_defaults()
