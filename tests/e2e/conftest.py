"""The fixtures that the end-to-end tests share with the other suites."""

from fixtures import api, cluster, namespace, operator, operators, pytest_runtest_makereport
from replicas import replicas

__all__ = ["api", "cluster", "namespace", "operator", "operators", "pytest_runtest_makereport", "replicas"]
