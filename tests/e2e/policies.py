"""Admission policies of third parties."""

import contextlib
import time

from api import ApiError, secret_thing, wait_until

POLICY_PATH = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"


@contextlib.contextmanager
def refusing_secrets(api, namespace, words="'no Secrets today'"):
    """The API server refuses all Secrets of the namespace meanwhile, with 422. words: CEL that says why."""
    policy = {
        "metadata": {"name": namespace},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            },
            "validations": [{"expression": "false", "message": "words that do not work", "messageExpression": words}],
        },
    }
    binding = {"metadata": {"name": namespace}, "spec": {"policyName": namespace, "validationActions": ["Deny"]}}
    api.call("POST", POLICY_PATH, policy)
    api.call("POST", f"{POLICY_PATH.removesuffix('ies')}ybindings", binding)

    try:
        wait_until("the policy is in force", lambda: is_refused(api, namespace))
        yield
    finally:
        api.call("DELETE", f"{POLICY_PATH.removesuffix('ies')}ybindings/{namespace}")
        api.call("DELETE", f"{POLICY_PATH}/{namespace}")


def is_refused(api, namespace):
    """Whether a Secret cannot be created there."""
    data = {key: b"a secret with 0123456789" for key in ("random", "metadata")}
    try:
        api.create(secret_thing(namespace, f"probe-{time.monotonic_ns()}", data))
    except ApiError:
        return True
    return False
