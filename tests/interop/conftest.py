"""The fixtures of tests/e2e: a control plane and the operator; and what the operator made, for the peers."""

import importlib.util
import pathlib
import sys

END_TO_END = pathlib.Path(__file__).resolve().parents[1] / "e2e"
sys.path.insert(0, str(END_TO_END))
specification = importlib.util.spec_from_file_location("end_to_end", END_TO_END / "conftest.py")
end_to_end = importlib.util.module_from_spec(specification)
specification.loader.exec_module(end_to_end)

api, cluster, namespace = end_to_end.api, end_to_end.cluster, end_to_end.namespace
operator, operators = end_to_end.operator, end_to_end.operators
pytest_runtest_makereport = end_to_end.pytest_runtest_makereport
