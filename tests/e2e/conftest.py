"""The fixtures that the end-to-end tests share with the other suites; and which of them this build runs (builds.py)."""

import builds
from fixtures import BINARY, api, clock, cluster, namespace, operator, operators, pytest_runtest_makereport
from replicas import replicas

__all__ = ["api", "clock", "cluster", "namespace", "operator", "operators", "pytest_runtest_makereport", "replicas"]


def pytest_collection_modifyitems(config, items):
    builds.deselect(config, items, BINARY)
