"""Credentials that change while the operator runs."""

import json
import shutil
import time

import webhook
from api import QRN, is_told, thing, wait_until
from credentials import token, with_server, with_token
from faultproxy import Inject, Rule

REFRESH = 60  # seconds; files are read again within a minute
REFRESH_MIN = 50  # and not sooner


def test_trap_21_a_token_is_read_again_when_it_is_refused(api, cluster, operators, proxy, namespace, tmp_path):
    """Long before the file would be read again: the request that was refused succeeds with the new one."""
    config = json.loads(with_server(cluster, tmp_path, proxy.url).read_text())
    path = with_token(cluster, tmp_path, token(api, "qubesec-system", "qubesec-operator"))
    config["users"] = json.loads(path.read_text())["users"]
    path.write_text(json.dumps(config))
    operators.start(kubeconfig=path).wait_ready()
    (tmp_path / "token").write_text(token(api, "qubesec-system", "qubesec-operator"))
    refused = proxy.add(Rule(Inject(401, {"kind": "Status", "code": 401}), method="POST", path="/secrets", times=1))
    mark = cluster.audit.mark()
    api.make(thing(QRN, namespace, "numbers"))
    assert refused.hits == 1
    assert [one.status for one in proxy.of("/secrets", method="POST")] == [401, 201]
    assert len({one.credential for one in cluster.audit.requests(mark, namespace) if one.resource == "secrets"}) == 1


def test_trap_22_a_ca_that_is_replaced(api, cluster, operators, proxy, namespace, clock, tmp_path):
    """The server's certificate is of another CA, and the file with the CA is another one; the old CA is trusted no more."""
    pki = cluster.folder / "pki"
    path = with_server(cluster, tmp_path, proxy.url)
    config = json.loads(path.read_text())
    config["clusters"][0]["cluster"]["certificate-authority"] = str(tmp_path / "ca.crt")
    path.write_text(json.dumps(config))
    shutil.copy(pki / "ca.crt", tmp_path / "ca.crt")
    begin = time.monotonic()
    operator = operators.start(kubeconfig=path, environment=clock.environment).wait_ready()
    api.make(thing(QRN, namespace, "before"))

    other = webhook.make_certificates(tmp_path / "other")
    (tmp_path / "ca.crt").write_text("")  # written in two steps, as it may be
    proxy.use_certificate(other / "tls.crt", other / "tls.key")
    try:
        proxy.cut_all()
        wait_until("the new server is not trusted yet", lambda: failures(operator, "certificate"))
        shutil.copy(other / "ca.crt", tmp_path / "ca.crt")
        api.create(thing(QRN, namespace, "after"))
        assert not is_told(api.get(QRN, namespace, "after")) or time.monotonic() - begin >= REFRESH_MIN
        clock.advance(operator, REFRESH)
        api.wait_success(QRN, namespace, "after")
    finally:
        proxy.use_certificate(pki / "apiserver.crt", pki / "apiserver.key")
    since = operator.log.stat().st_size
    proxy.cut_all()
    wait_until("the old CA is trusted no more", lambda: failures(operator, "certificate", since))


def failures(operator, word, since=0):
    return [one for one in operator.said("list or watch failed, trying again", since) if word in one["detail"].lower()]
