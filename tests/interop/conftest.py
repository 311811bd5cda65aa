"""The fixtures of tests/e2e: a control plane and the operator; and what the operator made, for the peers."""

from fixtures import api, cluster, namespace, operator, operators, pytest_runtest_makereport

__all__ = ["api", "cluster", "namespace", "operator", "operators", "pytest_runtest_makereport"]
