"""What a status says of versions is kept by the API server, for each kind, so that nothing is written again and again."""

import time

from api import QC, QDK, QDS, QES, QKKP, QRN, QSKP, QSM, QVS, all_kinds, thing, version_of, wait_until

ROTATED = (QKKP, QSKP, QRN, QES)
FOLLOWING = (QDS, QDK)
PUBLIC = (QKKP, QSKP, QES)
STILL_SECONDS = 5.0


def identity(one):
    return one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]


def states(status):
    return [one["state"] for one in status["versions"]]


def wait_for_rest(api, things):
    """All of them, as they are when none has changed for a while."""
    last = {}

    def at_rest():
        found = [api.get(*identity(one)) for one in things]
        now = [version_of(one) for one in found]
        if last.get("versions") != now:
            last.update(versions=now, since=time.monotonic())
        done = all(one["status"].get("status") in ("Success", "Valid") for one in found)
        return found if done and time.monotonic() - last["since"] > 2 else None

    return wait_until("all are at rest", at_rest)


def wait_for_answer(api, one, wanted):
    def is_there():
        return api.get(*identity(one))["status"].get("lastRotateRequest") == wanted

    wait_until(f"lastRotateRequest of a {one['kind']} is {wanted}", is_there)


def is_root(one):
    return (one["kind"], one["metadata"]["name"]) == (QC, "ca")


def has_its_versions(one):
    kind, status = one["kind"], one["status"]
    assert status["version"] >= 2 and states(status) == ["Active", "Retired"], (kind, status)
    present, retired = status["versions"]
    assert (present["version"], retired["version"]) == (status["version"], status["version"] - 1)
    assert present["fingerprint"] == status["fingerprint"] != retired["fingerprint"]
    assert "retiredTime" not in present and retired["activeTime"] <= retired["retiredTime"] <= present["activeTime"]
    assert all("createdTime" in version for version in status["versions"])
    assert all(("digest" in version) == (kind in PUBLIC) for version in status["versions"])


def test_trap_30_what_is_said_of_versions_is_kept_and_written_once(api, operator, namespace):
    things = [one for one in all_kinds(namespace) if one["kind"] != "ConfigMap"]
    for one in all_kinds(namespace):
        api.create(one)
    wait_for_rest(api, things)
    for one in things:
        api.patch(*identity(one), {"metadata": {"annotations": {"qubesec.io/rotate": "please"}}})
    for one in things:
        if not is_root(one):
            wait_for_answer(api, one, "please" if one["kind"] in ROTATED else "refused: please")
    for one in wait_for_rest(api, things):
        if one["kind"] in (*ROTATED, *FOLLOWING):
            has_its_versions(one)
        elif is_root(one):  # which is published for an hour first
            assert states(one["status"]) == ["Next", "Active"] and one["status"]["version"] == 1
        assert one["status"].get("keyVersion") == (2 if one["kind"] in (QSM, QVS) else None)
        assert ("version" in one["status"]) == (one["kind"] in (*ROTATED, *FOLLOWING) or is_root(one))
    assert {one["metadata"]["name"] for one in things if one["kind"] == QC} == {"ca", "server"}, "which refuses, too"
    # Looked at once more, each is found to say all already.
    touched = [api.patch(*identity(one), {"metadata": {"labels": {"touched": "yes"}}}) for one in things]
    time.sleep(STILL_SECONDS)
    now = [api.get(*identity(one)) for one in things]
    assert [version_of(one) for one in now] == [version_of(one) for one in touched], "something is written again"


def test_what_is_planned_is_kept(api, operator, namespace):
    """Of a schedule, of a version that is to come, and of one that is pinned."""
    [pair] = api.make(thing(QKKP, namespace, "pair", {"rotation": {"every": "24h", "publishAhead": "1h", "keep": 2}}))
    assert pair["status"]["version"] == 1 and pair["status"]["nextRotationTime"]

    def published():
        status = api.get(QKKP, namespace, "pair")["status"]
        return status if states(status) == ["Next", "Active"] else None

    api.patch(QKKP, namespace, "pair", {"metadata": {"annotations": {"qubesec.io/rotate": "ahead"}}})
    status = wait_until("the next key is published", published)
    coming, _ = status["versions"]
    assert coming["version"] == 2 and coming["digest"] != status["digest"] and "activeTime" not in coming
    assert "lastRotateRequest" not in status, "it is answered when the new version is in use"
    [sealed] = api.make(thing(QES, namespace, "sealed", {"publicKeyRef": {"name": "pair", "version": 1}}))
    assert sealed["spec"]["publicKeyRef"] == {"kind": QKKP, "name": "pair", "version": 1}
    api.create(thing(QES, namespace, "early", {"publicKeyRef": {"name": "pair", "version": 7}}))
    early = api.wait_status(QES, namespace, "early", "Pending", f"WaitingFor{QKKP}")
    assert "version 7" in early["status"]["conditions"][0]["message"]
