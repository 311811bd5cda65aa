"""The fixtures of the end-to-end tests, and a fault proxy in front of the API server."""

import contextlib

import pytest
from credentials import with_server
from faultproxy import FaultProxy
from fixtures import api, clock, cluster, namespace, operator, operators, pytest_runtest_makereport
from replicas import replicas

__all__ = ["api", "clock", "cluster", "namespace", "operator", "operators", "pytest_runtest_makereport", "replicas"]


@pytest.fixture(scope="session")
def the_proxy(cluster):
    with contextlib.closing(FaultProxy.before(cluster)) as proxy:
        yield proxy


@pytest.fixture
def proxy(the_proxy, operators):
    """Without faults at first; what the operator asks through it is noted."""
    yield the_proxy
    operators.stop()
    the_proxy.clear()


@pytest.fixture
def through(cluster, proxy, tmp_path):
    """The operator's kubeconfig, but for the proxy in place of the API server."""
    return with_server(cluster, tmp_path, proxy.url)
