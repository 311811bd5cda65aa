"""The operator is killed again and again while it works, and nothing that was ever seen is made twice."""

import os
import random
import threading
import time

from api import KINDS, data_of, exchange, wait_until
from crypto import decapsulate, hkdf
from seen import Seen, begun

KILLS = 20


def test_killed_twenty_times_while_exchanges_are_in_flight(api, operators, namespace, tmp_path):
    count = 100 if operators.sanitized else 300
    things = [one for number in range(count) for one in exchange(namespace, f"x{number}-")]
    seed = int(os.environ.get("QUBESEC_SEED") or random.randrange(1 << 32))
    print(f"the moments of the kills are those of QUBESEC_SEED={seed}")
    moments = random.Random(seed)
    seen = Seen(api, namespace)
    try:
        for number in range(KILLS):
            operator = operators.start()
            batch = things[number * len(things) // KILLS : (number + 1) * len(things) // KILLS]
            creator = threading.Thread(target=lambda batch=batch: [api.create(one) for one in batch])
            creator.start()
            # Work ends it, not time: in the first half of what it has to do, a little later than a Secret is seen, and
            # when a Secret is there that no status tells of.
            enough = len(seen.secrets) + moments.randint(0, len(batch) // 2)
            wait_until(lambda: f"{enough} Secrets", lambda enough=enough: len(seen.secrets) >= enough, pause=0.001)
            time.sleep(moments.uniform(0, 0.02))
            operator.freeze_at_work(lambda: begun(api, namespace))
            operator.kill()
            creator.join()
        operators.default()
        wait_until(
            lambda: f"{unfinished(api, namespace)} are not finished",
            lambda: not unfinished(api, namespace),
            patience=300,
            pause=1,
        )
        operators.default().settle()
    finally:
        seen.end()
    check_results(api, namespace, things, tmp_path)
    assert len(seen.keys) == count
    assert seen.changed() == [], "a key or a Secret was made twice, or changed"


def unfinished(api, namespace):
    return sum(one.get("status", {}).get("status") != "Success" for kind in KINDS for one in api.list(kind, namespace))


def check_results(api, namespace, things, folder):
    secrets = {one["metadata"]["name"]: one for one in api.list("Secret", namespace)}
    assert secrets.keys() == {one["metadata"]["name"] for one in things}
    statuses = {one["metadata"]["name"]: one["status"] for kind in KINDS for one in api.list(kind, namespace)}
    for name, secret in secrets.items():
        assert statuses[name]["secretRef"]["uid"] == secret["metadata"]["uid"]
        assert statuses[name]["secretRef"]["resourceVersion"] == secret["metadata"]["resourceVersion"]
    for prefix in sorted({name.partition("-")[0] for name in secrets}):
        pair, sealed, opened, alice, bob = (
            data_of(secrets[f"{prefix}-{name}"]) for name in ("pair", "sealed", "opened", "alice", "bob")
        )
        assert statuses[f"{prefix}-sealed"]["fingerprint"] == statuses[f"{prefix}-opened"]["fingerprint"]
        assert statuses[f"{prefix}-alice"]["fingerprint"] == statuses[f"{prefix}-bob"]["fingerprint"]
        assert sealed["shared_secret"] == opened["shared_secret"]
        assert alice["key"] == bob["key"] == hkdf(sealed["shared_secret"], bytes(16), b"e2e", 32)
        assert statuses[f"{prefix}-pair"]["publicKeyPEM"].encode() == pair["public_key.pem"]
    assert decapsulate(folder, pair["private_key.pem"], sealed["ciphertext"]) == sealed["shared_secret"]
