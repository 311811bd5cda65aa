"""Several replicas: one of them works, by a Lease; the others stand by, and take over when it goes or is gone."""

import json
import re

from api import QKKP, QRN, data_of, is_told, thing, version_of, wait_until
from audit import WRITES
from replicas import DEADLINE, DURATION, HOLDING, LOST, NAME, NAMESPACE, lease_of, wait_leads
from seen import freeze_at_work

MICRO_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


def pairs(namespace, prefix, count):
    return [thing(QKKP, namespace, f"{prefix}-{number}") for number in range(count)]


def test_one_works_and_all_are_ready(api, cluster, replicas, namespace):
    mark = cluster.audit.mark()
    leader, standby = replicas.pair(*HOLDING)
    api.make(thing(QKKP, namespace, "pair"), thing(QRN, namespace, "numbers"))
    leader.settle()
    assert leader.leads() and not standby.leads()
    assert leader.answer("/readyz")[0] == standby.answer("/readyz")[0] == 200
    assert leader.answer("/healthz")[0] == standby.answer("/healthz")[0] == 200
    assert standby.total("qubesec_objects", QKKP) >= 1, "it knows what there is"
    assert {one.resource for one in replicas.writes(leader, mark, namespace)} >= {"secrets", f"{QKKP.lower()}s/status"}
    assert replicas.writes(standby, mark) == []
    sent = [one for one in cluster.audit.requests(mark) if one.credential == standby.credential]
    assert {one.verb for one in sent if one.resource == "leases"} == {"get"}

    lease = lease_of(api)
    spec = lease["spec"]
    assert spec["holderIdentity"] == leader.identity() != standby.identity()
    assert re.fullmatch(r".+_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", leader.identity())
    assert (spec["leaseDurationSeconds"], spec["leaseTransitions"]) == (DURATION, 0)
    assert re.fullmatch(MICRO_TIME, spec["renewTime"]) and re.fullmatch(MICRO_TIME, spec["acquireTime"])
    wait_until("it is renewed", lambda: version_of(lease_of(api)) != version_of(lease))
    renewed = lease_of(api)["spec"]
    assert renewed["renewTime"] > spec["renewTime"]
    assert {**renewed, "renewTime": spec["renewTime"]} == spec, "nothing else changes"
    told = wait_until("an Event tells of it", lambda: api.events(NAMESPACE, NAME, "LeaderElection"))
    assert f"{leader.identity()} became leader" in [one["note"] for one in told]


def test_trap_41_sigterm_hands_over_when_the_work_is_done(api, cluster, replicas, namespace):
    """The lease would last an hour, so it is the release that lets the other one in."""
    mark = cluster.audit.mark()
    leader, standby = replicas.pair(*HOLDING)
    things = pairs(namespace, "pair", 150)
    freeze_at_work(leader, api, namespace, things)
    records = []
    end = api.watch("Lease", NAMESPACE, lambda _, lease: records.append(lease["spec"]))
    try:
        leader.thaw()
        leader.stop()
        assert leader.process.returncode == 0
        assert leader.lines()[-1]["message"] == "stopped"
        wait_leads(standby)
        wait_until("it is seen", lambda: records[-1]["holderIdentity"] == standby.identity())
    finally:
        end()
    [released] = [one for one in records if one["holderIdentity"] == ""]
    assert (released["leaseDurationSeconds"], released["leaseTransitions"]) == (1, 0)
    assert (records[-1]["leaseDurationSeconds"], records[-1]["leaseTransitions"]) == (3600, 1)
    for one in things:
        api.wait_success(QKKP, namespace, one["metadata"]["name"])

    sent = [one for one in cluster.audit.requests(mark) if one.credential == leader.credential]
    written = [one.resource for one in sent if one.verb in WRITES]
    assert "secrets" in written and written[-1] == "leases", "it has written before it gave the lease back, not after"
    own = {one.name for one in replicas.writes(leader, mark, namespace) if one.code == 201}
    other = {one.name for one in replicas.writes(standby, mark, namespace) if one.code == 201}
    assert not own & other, "a Secret was made twice"
    told = {one.name for one in replicas.writes(leader, mark, namespace) if one.resource == f"{QKKP.lower()}s/status"}
    assert own == told, "what it has begun it has finished"


def test_a_standby_that_stops_changes_nothing(api, cluster, replicas):
    leader, standby = replicas.pair(*HOLDING)
    mark = cluster.audit.mark()
    standby.stop()
    sent = [one for one in cluster.audit.requests(mark) if one.credential == standby.credential]
    assert [one for one in sent if one.verb in WRITES] == []
    assert leader.leads() and lease_of(api)["spec"]["holderIdentity"] == leader.identity()


def test_a_killed_leader_is_replaced_and_what_is_finished_is_left_alone(api, cluster, replicas, namespace, clock):
    leader, standby = replicas.pair(*HOLDING, environment=clock.environment)
    api.make(*(thing(QKKP, namespace, f"pair-{number}") for number in range(20)))
    leader.settle()
    before = {one["metadata"]["name"]: version_of(one) for one in api.list("Secret", namespace)}
    mark = cluster.audit.mark()
    leader.kill()
    replicas.take_over(clock, standby)
    standby.settle()
    assert standby.total("controller_runtime_reconcile_total") >= 20
    assert replicas.writes(standby, mark, namespace) == []  # other tests' objects may be trying still
    assert {one["metadata"]["name"]: version_of(one) for one in api.list("Secret", namespace)} == before
    assert lease_of(api)["spec"]["leaseTransitions"] == 1
    api.make(thing(QKKP, namespace, "another"))


def test_trap_41_a_leader_that_was_asleep_writes_nothing_when_it_wakes(api, cluster, replicas, namespace, clock):
    leader, standby = replicas.pair(*HOLDING, environment=clock.environment)
    things, later = pairs(namespace, "pair", 100), pairs(namespace, "later", 20)
    freeze_at_work(leader, api, namespace, things)
    for one in later:
        api.create(one)
    replicas.take_over(clock, standby)
    for one in (*things, *later):
        api.wait_success(QKKP, namespace, one["metadata"]["name"])
    standby.settle()
    keys = {one["metadata"]["name"]: data_of(one)["public_key"] for one in api.list("Secret", namespace)}
    mark = cluster.audit.mark()
    leader.expected = 1
    leader.thaw()
    wait_until(lambda: f"it ends:\n{leader.tail()}", leader.ended)
    assert leader.said(LOST)
    assert replicas.writes(leader, mark) == []
    assert standby.leads()
    assert {one["metadata"]["name"]: data_of(one)["public_key"] for one in api.list("Secret", namespace)} == keys


def test_trap_41_nothing_is_sent_when_the_lease_has_run_out(api, cluster, replicas, namespace, clock):
    """Its time is over, and the thread that would notice sleeps on: the client itself asks before each request."""
    leader = replicas.start(*HOLDING[:2], "--leader-election-retry-period=10m", environment=clock.environment)
    wait_leads(leader)
    leader.settle()
    mark = cluster.audit.mark()
    clock.sleep(DURATION)
    api.create(thing(QKKP, namespace, "pair"))

    def tried_in_vain():
        lines = leader.said("could not finish, trying again")
        return [one for one in lines if (one["namespace"], one["name"]) == (namespace, "pair")]

    wait_until("it is tried in vain", tried_in_vain)
    assert leader.leads() and not leader.ended()
    assert replicas.writes(leader, mark) == []


def test_trap_41_a_leader_that_cannot_renew_ends_itself(api, cluster, replicas, namespace, clock):
    leader = replicas.start(*HOLDING, environment=clock.environment)
    wait_leads(leader)
    binding = json.loads(cluster.kubectl("get", "rolebinding", "qubesec-leader-election", "-n", NAMESPACE, "-o", "json"))
    binding["metadata"] = {key: binding["metadata"][key] for key in ("name", "namespace", "labels")}
    cluster.kubectl("delete", "rolebinding", "qubesec-leader-election", "-n", NAMESPACE)

    def refusals(replica):
        return [one for one in replica.said("a request for the lease failed, trying again") if "forbidden" in one["detail"]]

    try:
        said = wait_until("it cannot renew", lambda: refusals(leader))[-1]
        assert said["level"] == "warning" and leader.leads()
        leader.expected = 1
        clock.sleep(DEADLINE)
        wait_until(lambda: f"it ends:\n{leader.tail()}", leader.ended)
        assert leader.said(LOST)
        standby = replicas.start(*HOLDING, environment=clock.environment)
        api.create(thing(QKKP, namespace, "pair"))
        wait_until("it is refused again and again", lambda: len(refusals(standby)) >= 3)
        assert not standby.leads() and not is_told(api.get(QKKP, namespace, "pair"))
    finally:
        cluster.kubectl("create", "--filename", "-", given=json.dumps(binding))
    replicas.take_over(clock, standby)
    api.wait_success(QKKP, namespace, "pair")


def test_trap_40_a_holder_with_a_wrong_clock_is_respected_as_long_as_it_renews(api, replicas, namespace, clock):
    metadata = {"namespace": NAMESPACE, "name": NAME, "labels": {"kept": "label"}, "annotations": {"kept": "note"}}
    spec = {"holderIdentity": "stranger", "leaseDurationSeconds": 100, "leaseTransitions": 4}
    api.create({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec})
    replica = replicas.start(*HOLDING, environment=clock.environment)
    for second in range(4):
        api.patch("Lease", NAMESPACE, NAME, {"spec": {"renewTime": f"1999-01-01T00:00:{second:02}.000000Z"}})
        replicas.wait_looked(replica)
        clock.sleep(60)
        replicas.wait_looked(replica)
        assert lease_of(api)["spec"]["holderIdentity"] == "stranger"
    assert not replica.leads()
    clock.sleep(60)
    wait_leads(replica)
    lease = lease_of(api)
    assert lease["spec"]["leaseTransitions"] == 5
    assert lease["metadata"]["labels"] == metadata["labels"]
    assert lease["metadata"]["annotations"] == metadata["annotations"]


def test_a_deleted_lease_is_made_again(api, replicas):
    leader, standby = replicas.pair(*HOLDING)
    api.delete("Lease", NAMESPACE, NAME)
    wait_until("it is there again", lambda: api.find("Lease", NAMESPACE, NAME))
    leads = [one for one in (leader, standby) if lease_of(api)["spec"]["holderIdentity"] == one.identity()]
    assert len(leads) == 1
    if leads == [standby]:  # it was faster
        leader.expected = 1
        wait_until("the other one ends", leader.ended)


def test_without_election_there_is_no_lease(api, cluster, operators, replicas, namespace):
    mark = cluster.audit.mark()
    operator = operators.start("--leader-elect=false").wait_ready()
    api.make(thing(QKKP, namespace, "pair"))
    assert operator.total("leader_election_master_status") == 0
    assert [one for one in cluster.audit.requests(mark) if one.resource == "leases"] == []
    assert api.find("Lease", NAMESPACE, NAME) is None
