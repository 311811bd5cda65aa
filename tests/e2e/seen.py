"""What of keys was ever to be seen in the cluster, so that a test can tell whether any was made twice, or is under way."""

import collections
import threading

from api import KINDS, QC, QKKP, QSKP, data_of


def begun(api, namespace, kinds=KINDS):
    """The names of Secrets that no status of these kinds tells of yet: what the operator has in hand, for sure."""
    made = {one["metadata"]["uid"]: one["metadata"]["name"] for one in api.list("Secret", namespace)}
    told = {one.get("status", {}).get("secretRef", {}).get("uid") for kind in kinds for one in api.list(kind, namespace)}
    return sorted(made[uid] for uid in made.keys() - told)


def freeze_at_work(operator, api, namespace, things):
    """Creates things of KINDS, and suspends the operator in the midst of making them; returns what is begun."""
    creator = threading.Thread(target=lambda: [api.create(one) for one in things])
    creator.start()
    try:
        return operator.freeze_at_work(lambda: begun(api, namespace))
    finally:
        creator.join()


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
