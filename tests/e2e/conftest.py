"""The fixtures that the end-to-end tests share with the other suites."""

from fixtures import api, clock, cluster, namespace, operator, operators, pytest_runtest_makereport
from replicas import replicas

__all__ = ["api", "clock", "cluster", "namespace", "operator", "operators", "pytest_runtest_makereport", "replicas"]
