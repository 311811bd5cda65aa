"""The failpoints of a test build (docs/develop.md): what there is, and in what order an operator comes by.

A point is (where, what): its name in src/base/failpoint.h, and one of the WRITES or a text.
"""

import itertools
import re

from fixtures import CHECKOUT
from webhook import CONFIGURATIONS

VARIABLE = "QUBESEC_FAILPOINT"
NAMES = set(re.findall(r'^ +POINT\(\w+, "([a-z-]+)"\)', (CHECKOUT / "src/base/failpoint.h").read_text(), re.MULTILINE))

# Each write of the operator, as its roles name it, and the request that makes it.
WRITES = {
    "create secrets": "POST /api/v1/namespaces/{namespace}/secrets",
    "patch secrets": "PATCH /api/v1/namespaces/{namespace}/secrets/",
    "create configmaps": "POST /api/v1/namespaces/{namespace}/configmaps",
    "patch configmaps": "PATCH /api/v1/namespaces/{namespace}/configmaps/",
    "delete configmaps": "DELETE /api/v1/namespaces/{namespace}/configmaps/",
    "patch status": "PATCH /apis/qubesec.io/v1/namespaces/{namespace}/{plural}/{name}/status",
    "update status": "PUT /apis/qubesec.io/v1/namespaces/{namespace}/{plural}/{name}/status",
    "create events": "POST /apis/events.k8s.io/v1/namespaces/{namespace}/events",
    "patch events": "PATCH /apis/events.k8s.io/v1/namespaces/{namespace}/events/{name}.",
    "create leases": "POST /apis/coordination.k8s.io/v1/namespaces/qubesec-system/leases",
    "patch leases": "PATCH /apis/coordination.k8s.io/v1/namespaces/qubesec-system/leases/qubesec-operator",
    "patch validatingwebhookconfigurations": f"PATCH {CONFIGURATIONS}/qubesec",
}


def around(write):
    return [("before-request", write), ("after-request", write)]


# What is done for one object, in the order in which it is done; a point that is no write's says for which object.
OBJECT = "{kind} {namespace}/{name}"
BETWEEN = ("between-secret-and-status", OBJECT)
TELLING = [*around("update status"), *around("create events")]
CREATION = [*around("create secrets"), BETWEEN, *TELLING]
CHANGE = [*around("patch secrets"), BETWEEN]
LOSS = [*around("create secrets"), BETWEEN]
RENEWAL = [("before-renewal", OBJECT), *around("patch secrets"), ("after-renewal", OBJECT), BETWEEN, *TELLING]
ROTATION = [("before-rotation", OBJECT), *around("patch secrets"), ("after-rotation", OBJECT), BETWEEN, *TELLING]
BUNDLE = [*around("create secrets"), BETWEEN, *around("create configmaps"), *TELLING]
BUNDLE_CHANGE = [*around("patch configmaps"), ("before-request", "update status")]
BUNDLE_DELETION = [*around("delete configmaps"), ("before-request", "update status")]
FAILURE = around("patch status")
SERIES = around("patch events")

# What is done for the webhook: what is asked for by its Secret's annotation, and the points on the way there. Once its
# Secret is written the step is over, so that one way leads by one of the points after it.
MADE, RENEWED = "webhook CA and certificate made", "webhook certificate renewed"
INTRODUCED, OVERLAPPING = "next CA introduced", "both CAs published"
SWITCHED, DROPPED = "certificate of the next CA made", "former CA dropped"
REFUSED = "webhook rotation request refused"
BEFORE, AFTER = "before-webhook-step", "after-webhook-step"
PUBLISHING = around("patch validatingwebhookconfigurations")
ROTATIONS = [
    (None, [(BEFORE, MADE), *around("create secrets")]),
    (None, [(AFTER, MADE), *PUBLISHING]),
    ("leaf", [(BEFORE, RENEWED), *around("patch secrets")]),
    ("leaf", [(AFTER, RENEWED)]),
    (
        "ca",
        [
            (BEFORE, INTRODUCED), (AFTER, INTRODUCED), *PUBLISHING, (BEFORE, OVERLAPPING), (AFTER, OVERLAPPING),
            (BEFORE, SWITCHED), (AFTER, SWITCHED), (BEFORE, DROPPED), (AFTER, DROPPED), *PUBLISHING,
        ],
    ),
    ("rubbish", [(BEFORE, REFUSED), (AFTER, REFUSED)]),
]  # fmt: skip

# What is done about the Lease, by which write.
LEASE_WRITES = {"make": "create leases", "take": "patch leases", "renew": "patch leases", "give-back": "patch leases"}


def all_points():
    webhook = (points for _, points in ROTATIONS)
    bundle = (BUNDLE, BUNDLE_CHANGE, BUNDLE_DELETION)
    lease = map(around, LEASE_WRITES.values())
    return itertools.chain(CREATION, CHANGE, LOSS, RENEWAL, ROTATION, *bundle, FAILURE, SERIES, *webhook, *lease)


def id_of(point):
    """As tests are named."""
    where, what = point
    return f"{where.removesuffix('-request')}-{what.replace(' ', '-')}" if what in WRITES else where


def text_of(what, **names):
    """What is looked for in the point's detail."""
    return WRITES.get(what, what).format(**names)
