"""The webhook as tests see it: its certificates, its configuration in the cluster, and reviews posted to it directly."""

import base64
import http.client
import json
import pathlib
import ssl
import subprocess
import uuid

import yaml
from api import PATIENCE, QC, RESOURCES, ApiError, thing, wait_until

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=PATIENCE)


def request_certificate(folder, stem, *arguments):
    openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-keyout", folder / f"{stem}.key", "-out", folder / f"{stem}.crt", "-subj", f"/CN=e2e {stem}", *arguments,
    )  # fmt: skip


def make_certificates(folder):
    """A CA (ca.crt) and a server's certificate for loopback (tls.crt, tls.key) in folder."""
    folder.mkdir(exist_ok=True)
    request_certificate(folder, "ca", "-addext", "keyUsage=critical,keyCertSign")
    request_certificate(
        folder, "tls", "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-addext", "subjectAltName=IP:127.0.0.1",
        "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth",
    )  # fmt: skip
    return folder


def flags(folder):
    return ("--webhook-bind-address", "127.0.0.1:0", "--webhook-certificate-directory", str(folder))


def port_of(operator):
    return int(operator.said("started")[0]["webhookPort"])


class Configuration:
    """config/webhook's configuration in the cluster, with a URL in place of its Service; there is one at a time."""

    def __init__(self, api, folder):
        self.api = api
        self.folder = folder

    def install(self, port):
        (wanted,) = yaml.safe_load_all((CHECKOUT / "config/webhook/validating_webhook.yaml").read_text())
        bundle = base64.b64encode((self.folder / "ca.crt").read_bytes()).decode()
        wanted["webhooks"][0]["clientConfig"] = {"url": f"https://127.0.0.1:{port}/validate", "caBundle": bundle}
        self.remove()
        self.api.call("POST", CONFIGURATIONS, wanted)

    def is_asked(self, namespace):
        """Whether the API server asks the webhook, or would if it answered: the object passes the schema."""
        path = f"{self.api.path(QC, namespace)}?dryRun=All"
        try:
            self.api.call("POST", path, thing(QC, namespace, "probe", {"subjectAltNames": ["*.*.example.com"]}))
        except ApiError as error:
            assert "validate.qubesec.io" in str(error), error
            return True
        return False

    def enforce(self, port, namespace):
        """Installs it and returns once the API server goes by it."""
        self.install(port)
        wait_until("the API server asks the webhook", lambda: self.is_asked(namespace))

    def remove(self):
        for one in self.api.call("GET", CONFIGURATIONS)["items"]:
            self.api.call("DELETE", f"{CONFIGURATIONS}/{one['metadata']['name']}")


def review(operation, thing, old=None, **request):
    """An AdmissionReview as the API server sends it."""
    group, _, version = thing["apiVersion"].rpartition("/")
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": str(uuid.uuid4()),
            "kind": {"group": group, "version": version, "kind": thing["kind"]},
            "resource": {"group": group, "version": version, "resource": RESOURCES.get(thing["kind"], ("", "things"))[1]},
            "name": thing["metadata"].get("name", ""),
            "namespace": thing["metadata"].get("namespace", ""),
            "operation": operation,
            "userInfo": {"username": "e2e"},
            "object": thing,
            "oldObject": old,
            "dryRun": False,
            **request,
        },
    }


class Direct:
    """A kept-alive connection to the webhook, past the API server."""

    def __init__(self, port, folder):
        context = ssl.create_default_context(cafile=folder / "ca.crt")
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=PATIENCE)

    def post(self, body, path="/validate", content_type="application/json", method="POST"):
        text = body if isinstance(body, (str, bytes)) else json.dumps(body)
        self.connection.request(method, path, text, {"Content-Type": content_type})
        answer = self.connection.getresponse()
        return answer, answer.read()

    def ask(self, *arguments, **options):
        """The response to a review."""
        sent = review(*arguments, **options)
        answer, body = self.post(sent)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json"), body
        said = json.loads(body)
        assert (said["apiVersion"], said["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
        assert said["response"]["uid"] == sent["request"]["uid"]
        return said["response"]

    def close(self):
        self.connection.close()
