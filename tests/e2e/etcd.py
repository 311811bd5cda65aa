"""etcd itself, behind the API server's back."""

import base64
import json
import ssl
import urllib.request


class Gateway:
    """etcd by its JSON gateway."""

    def __init__(self, cluster):
        self.url = cluster.facts["etcd"]
        pki = cluster.folder / "pki"
        context = ssl.create_default_context(cafile=pki / "ca.crt")
        context.load_cert_chain(pki / "etcd-client.crt", pki / "etcd-client.key")
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def call(self, method, body=None):
        with self.opener.open(f"{self.url}/v3/{method}", json.dumps(body or {}).encode(), timeout=60) as answer:
            return json.loads(answer.read())

    def put(self, key, value):
        """Writes a text; returns the revision, which is the resourceVersion of an object that is written so."""
        words = {"key": key, "value": value}
        body = {name: base64.b64encode(text.encode()).decode() for name, text in words.items()}
        return self.call("kv/put", body)["header"]["revision"]
