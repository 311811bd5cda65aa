"""What of keys was ever to be seen in the cluster, so that a test can tell whether any was made twice."""

import collections

from api import QKKP, data_of


class Seen:
    """All public keys and all Secrets that ever were to be seen, by name."""

    def __init__(self, api, namespace):
        self.keys = collections.defaultdict(set)
        self.secrets = collections.defaultdict(set)
        self.ends = [api.watch(QKKP, namespace, self.see_pair), api.watch("Secret", namespace, self.see_secret)]

    def see_pair(self, _, pair):
        if "publicKeyPEM" in pair.get("status", {}):
            self.keys[pair["metadata"]["name"]].add(pair["status"]["publicKeyPEM"].encode())

    def see_secret(self, _, secret):
        name, data = secret["metadata"]["name"], data_of(secret)
        self.secrets[name].add((secret["metadata"]["uid"], *sorted(data.items())))
        if "public_key.pem" in data:
            self.keys[name].add(data["public_key.pem"])

    def end(self):
        for end in self.ends:
            end()
