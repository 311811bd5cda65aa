"""Admission policies of third parties."""

import contextlib
import time

from api import ApiError, secret_thing, wait_until

POLICY_PATH = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"


@contextlib.contextmanager
def refusing_secrets(api, namespace):
    """The API server refuses all Secrets of the namespace meanwhile, with 422."""
    policy = {
        "metadata": {"name": namespace},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            },
            "validations": [{"expression": "false", "message": "no Secrets today"}],
        },
    }
    binding = {"metadata": {"name": namespace}, "spec": {"policyName": namespace, "validationActions": ["Deny"]}}
    api.call("POST", POLICY_PATH, policy)
    api.call("POST", f"{POLICY_PATH.removesuffix('ies')}ybindings", binding)

    def refused():
        probe = secret_thing(namespace, f"probe-{time.monotonic_ns()}", {})
        try:
            api.create(probe)
        except ApiError:
            return True
        return False

    try:
        wait_until("the policy is in force", refused)
        yield
    finally:
        api.call("DELETE", f"{POLICY_PATH.removesuffix('ies')}ybindings/{namespace}")
        api.call("DELETE", f"{POLICY_PATH}/{namespace}")
