"""What of keys was ever to be seen in the cluster, so that a test can tell whether any was made twice."""

import collections

from api import QC, QKKP, QSKP, data_of


class Seen:
    """All public keys and all Secrets that ever were to be seen, by name."""

    def __init__(self, api, namespace):
        self.keys = collections.defaultdict(set)
        self.secrets = collections.defaultdict(set)
        self.ends = [api.watch(kind, namespace, self.see_pair) for kind in (QKKP, QSKP, QC)]
        self.ends.append(api.watch("Secret", namespace, self.see_secret))

    def see_pair(self, _, pair):
        if "publicKeyPEM" in pair.get("status", {}):
            self.keys[pair["metadata"]["name"]].add(pair["status"]["publicKeyPEM"].encode())

    def see_secret(self, _, secret):
        name, data = secret["metadata"]["name"], data_of(secret)
        self.secrets[name].add((secret["metadata"]["uid"], *sorted(data.items())))
        if "public_key.pem" in data:
            self.keys[name].add(data["public_key.pem"])

    def changed(self):
        """The names of those that were ever to be seen in more than one form; there should be none."""
        return [name for found in (self.keys, self.secrets) for name, forms in found.items() if len(forms) != 1]

    def end(self):
        for end in self.ends:
            end()
