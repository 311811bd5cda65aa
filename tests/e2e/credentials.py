"""Credentials of ServiceAccounts, and kubeconfigs that hold them."""

import json


def token(api, namespace, name, bound_to=None):
    """A new token of a ServiceAccount, good as long as the Secret it is bound to is there."""
    spec = {"audiences": [], "expirationSeconds": 3600}
    if bound_to is not None:
        spec["boundObjectRef"] = {
            "apiVersion": "v1",
            "kind": "Secret",
            **{key: bound_to["metadata"][key] for key in ("name", "uid")},
        }
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return api.call("POST", api.path("ServiceAccount", namespace, name, "token"), request)["status"]["token"]


def with_token(cluster, folder, text):
    config = json.loads(cluster.operator_config.read_text())
    config["users"][0]["user"] = {"tokenFile": str(folder / "token")}
    (folder / "token").write_text(text)
    (folder / "kubeconfig").write_text(json.dumps(config))
    return folder / "kubeconfig"


def with_server(cluster, folder, url):
    """The operator's kubeconfig for another address of the same API server."""
    config = json.loads(cluster.operator_config.read_text())
    config["clusters"][0]["cluster"]["server"] = url
    (folder / "kubeconfig").write_text(json.dumps(config))
    return folder / "kubeconfig"
