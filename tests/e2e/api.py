"""A small client of the API server: JSON in, JSON out, one kept-alive connection for each thread."""

import base64
import contextlib
import http.client
import json
import pathlib
import socket
import ssl
import threading
import time
import urllib.parse

QRN, QKKP, QES, QDS, QDK = KINDS = (
    "QuantumRandomNumber",
    "QuantumKEMKeyPair",
    "QuantumEncapsulateSecret",
    "QuantumDecapsulateSecret",
    "QuantumDerivedKey",
)
QSKP, QSM, QVS, QC = SIGNATURE_KINDS = (
    "QuantumSignatureKeyPair",
    "QuantumSignMessage",
    "QuantumVerifySignature",
    "QuantumCertificate",
)
OURS = "/apis/qubesec.io/v1"
RESOURCES = {
    **{kind: (OURS, f"{kind.lower()}s") for kind in (*KINDS, *SIGNATURE_KINDS, "QuantumToy")},
    "Namespace": ("/api/v1", "namespaces"),
    "Secret": ("/api/v1", "secrets"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "Event": ("/apis/events.k8s.io/v1", "events"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
}
PATIENCE = 60.0  # seconds until waiting for something that ought to come is given up


class ApiError(Exception):
    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status


def wait_until(what, probe, patience=PATIENCE, pause=0.05):
    """Returns what probe returns, once that is true; what: said when it never is, may be a function."""
    deadline = time.monotonic() + patience
    while not (result := probe()):
        assert time.monotonic() < deadline, f"not within {patience:.0f} s: {what() if callable(what) else what}"
        time.sleep(pause)
    return result


class Api:
    def __init__(self, kubeconfig):
        config = json.loads(pathlib.Path(kubeconfig).read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.server = urllib.parse.urlsplit(cluster["server"])
        self.context = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self.context.load_cert_chain(user["client-certificate"], user["client-key"])
        self.thread = threading.local()

    def connect(self, timeout):
        return http.client.HTTPSConnection(
            self.server.hostname, self.server.port, context=self.context, timeout=timeout
        )

    def call(self, method, path, body=None, content_type="application/json"):
        """The answer's JSON; raises ApiError with the server's own message."""
        kept = hasattr(self.thread, "connection")
        if not kept:
            self.thread.connection = self.connect(PATIENCE)
        text = None if body is None else json.dumps(body)
        try:
            self.thread.connection.request(method, path, text, {"Content-Type": content_type})
            answer = self.thread.connection.getresponse()
            document = json.loads(answer.read())
        except (OSError, http.client.HTTPException) as error:
            self.forget_connection()
            if kept and isinstance(error, ConnectionError):  # the server has closed what was idle
                return self.call(method, path, body, content_type)
            raise
        if answer.status >= 400:
            raise ApiError(answer.status, document.get("message", ""))
        return document

    def forget_connection(self):
        """This thread's: the server that it led to is gone."""
        self.thread.__dict__.pop("connection", None)

    @staticmethod
    def path(kind, namespace=None, name=None, subresource=None):
        prefix, plural = RESOURCES[kind]
        scope = [] if namespace is None else ["namespaces", namespace]
        return "/".join([prefix, *scope, plural, *filter(None, (name, subresource))])

    def create(self, thing):
        return self.call("POST", self.path(thing["kind"], thing["metadata"].get("namespace")), thing)

    def get(self, kind, namespace, name):
        return self.call("GET", self.path(kind, namespace, name))

    def find(self, kind, namespace, name):
        """The object, or None."""
        try:
            return self.get(kind, namespace, name)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind, namespace=None):
        return self.call("GET", self.path(kind, namespace))["items"]

    def count_ours(self):
        """How many objects of our kinds there are, in the whole cluster."""
        return sum(len(self.list(kind)) for kind in (*KINDS, *SIGNATURE_KINDS))

    def patch(self, kind, namespace, name, change, subresource=None):
        """A JSON merge patch: None as a value removes it."""
        return self.call("PATCH", self.path(kind, namespace, name, subresource), change, "application/merge-patch+json")

    def delete(self, kind, namespace, name, policy="Background"):
        return self.call("DELETE", self.path(kind, namespace, name), {"propagationPolicy": policy})

    def watch(self, kind, namespace, seen):
        """Calls seen(type, object) on a thread of its own, from the first object on, and again from there when the
        server has gone meanwhile; returns what ends that."""
        connection = self.connect(None)
        ended = threading.Event()

        def ask():
            connection.request("GET", f"{self.path(kind, namespace)}?watch=1&timeoutSeconds=3600")
            return connection.getresponse()

        def read(answer):
            while not ended.is_set() and (line := answer.readline()):
                event = json.loads(line)
                seen(event["type"], event["object"])

        def run(answer):
            while not ended.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
                    read(answer or ask())
                answer = None
                connection.close()
                ended.wait(0.1)

        thread = threading.Thread(target=run, args=(ask(),), daemon=True)
        thread.start()

        def end():
            ended.set()
            with contextlib.suppress(OSError, AttributeError):  # it may be without a connection just now
                connection.sock.shutdown(socket.SHUT_RDWR)
            thread.join()
            connection.close()

        return end

    def allows(self, user, verb, resource, group, namespace, name=""):
        """Whether user may do that, by the server's own roles; resource: PLURAL or PLURAL/SUBRESOURCE."""
        plural, _, subresource = resource.partition("/")
        attributes = {"verb": verb, "resource": plural, "subresource": subresource, "group": group}
        attributes |= {"namespace": namespace, "name": name}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
        review["spec"] = {"user": user, "resourceAttributes": attributes}
        return self.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]

    # What tests wait for

    def wait_status(self, kind, namespace, name, status, reason=None):
        """The object, once it has that status (and reason) for its present generation."""
        last = {}

        def probe():
            found = self.find(kind, namespace, name) or {}
            last.update(found)
            said = found.get("status", {})
            current = said.get("observedGeneration") == found.get("metadata", {}).get("generation")
            return found if current and said.get("status") == status and reason in (None, reason_of(found)) else None

        return wait_until(lambda: f"{kind} {name} is {status} {reason or ''}: {last.get('status')}", probe)

    def wait_success(self, kind, namespace, name):
        return self.wait_status(kind, namespace, name, "Success")

    def wait_gone(self, kind, namespace, name):
        wait_until(f"{kind} {name} is gone", lambda: self.find(kind, namespace, name) is None)

    def make(self, *things):
        """Creates all and returns them once all have succeeded."""
        for thing in things:
            self.create(thing)
        return [self.wait_success(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]) for one in things]

    def secret(self, namespace, name):
        """What the Secret holds, as bytes."""
        return data_of(self.get("Secret", namespace, name))

    def output(self, thing):
        """The output Secret of a resource that succeeded."""
        return self.get("Secret", thing["metadata"]["namespace"], thing["status"]["secretRef"]["name"])

    def events(self, namespace, name, reason):
        found = self.list("Event", namespace)
        return [one for one in found if one["regarding"]["name"] == name and one["reason"] == reason]

    def wait_event(self, namespace, name, reason):
        """The only Event of that reason about the object."""
        [event] = wait_until(f"an Event {reason} about {name}", lambda: self.events(namespace, name, reason))
        return event


def thing(kind, namespace, name, spec=None, **metadata):
    return {
        "apiVersion": "qubesec.io/v1",
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name, **metadata},
        **({} if spec is None else {"spec": spec}),
    }


def secret_thing(namespace, name, data, **metadata):
    """A Secret of data, bytes by key."""
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": name, **metadata},
        "data": encoded,
    }


def config_map_thing(namespace, name, data=None, binary=None):
    """A ConfigMap of data, texts by key, and binary, bytes by key."""
    encoded = {key: base64.b64encode(value).decode() for key, value in (binary or {}).items()}
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {}, "binaryData": encoded}


def definition(group, kind, plural):
    """A CustomResourceDefinition of a namespaced kind with a status, which takes whatever it is given."""
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural}, "versions": [version]},
    }


def exchange(namespace, prefix="", algorithm="ML-KEM-768"):
    """A whole key exchange: five resources, each after those that it needs."""
    derive = {"keyType": "AES-256", "salt": "00" * 16, "info": "e2e"}
    return [
        thing(QKKP, namespace, f"{prefix}pair", {"algorithm": algorithm}),
        thing(QES, namespace, f"{prefix}sealed", {"publicKeyRef": {"name": f"{prefix}pair"}}),
        thing(
            QDS,
            namespace,
            f"{prefix}opened",
            {"privateKeyRef": {"name": f"{prefix}pair"}, "ciphertextRef": {"name": f"{prefix}sealed"}},
        ),
        thing(QDK, namespace, f"{prefix}alice", {"sharedSecretRef": {"name": f"{prefix}opened"}, **derive}),
        thing(QDK, namespace, f"{prefix}bob", {"sharedSecretRef": {"name": f"{prefix}sealed"}, **derive}),
    ]


def all_kinds(namespace, prefix=""):
    """One or two objects of every kind, and the message that one of them signs."""
    signer, message, ca = {"name": f"{prefix}signer"}, {"kind": "ConfigMap", "name": f"{prefix}message"}, f"{prefix}ca"
    signing = {"privateKeyRef": signer, "messageRef": message}
    judging = {"publicKeyRef": signer, "messageRef": message, "signatureRef": {"name": f"{prefix}signed"}}
    authority = {"certType": "ca", "commonName": "CA", "algorithm": "ML-DSA-44"}
    # A server of the default length would end after its CA where a second passes between them, and warn of it.
    server = {"certType": "server", "durationDays": 90, "subjectAltNames": ["example.com"], "parentCARef": {"name": ca}}
    return [
        config_map_thing(namespace, f"{prefix}message", {"message": "a message"}),
        *exchange(namespace, prefix),
        thing(QRN, namespace, f"{prefix}numbers"),
        thing(QSKP, namespace, f"{prefix}signer", {"algorithm": "ML-DSA-44"}),
        thing(QSM, namespace, f"{prefix}signed", signing),
        thing(QVS, namespace, f"{prefix}verified", judging),
        thing(QC, namespace, ca, {**authority, "deletionPolicy": "Delete"}),  # else its Secret would outlive it
        thing(QC, namespace, f"{prefix}server", {"algorithm": "ML-DSA-44", **server}),
    ]


def data_of(secret):
    return {key: base64.b64decode(value) for key, value in secret.get("data", {}).items()}


def ready_of(found):
    conditions = found.get("status", {}).get("conditions", [])
    return next((one for one in conditions if one["type"] == "Ready"), {})


def is_told(found):
    """Whether an operator has written its status: that of a new object is its definition's default."""
    return "observedGeneration" in found.get("status", {})


def reason_of(found):
    return ready_of(found).get("reason")


def version_of(found):
    return found["metadata"]["resourceVersion"]
