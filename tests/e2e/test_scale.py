"""Many at once."""

import concurrent.futures

from api import QKKP, data_of, thing, wait_until


def test_a_thousand_key_pairs_at_once(api, operators, operator, namespace):
    count = 200 if operators.sanitized else 1000
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(api.create, (thing(QKKP, namespace, f"pair-{number}") for number in range(count))))

    def served():
        return sum(one.get("status", {}).get("status") == "Success" for one in api.list(QKKP, namespace))

    wait_until(lambda: f"{served()} of {count} succeeded", lambda: served() == count, patience=300, pause=1)
    pairs = {one["metadata"]["name"]: one for one in api.list(QKKP, namespace)}
    secrets = {one["metadata"]["name"]: one for one in api.list("Secret", namespace)}
    assert pairs.keys() == secrets.keys() and len(pairs) == count
    for name, pair in pairs.items():
        assert pair["status"]["publicKeyPEM"].encode() == data_of(secrets[name])["public_key.pem"]
        assert pair["status"]["secretRef"]["uid"] == secrets[name]["metadata"]["uid"]
    assert len({pair["status"]["publicKeyPEM"] for pair in pairs.values()}) == count
