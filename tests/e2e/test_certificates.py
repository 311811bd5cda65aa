"""Certificates: chains, names, rules, their Secrets, and what becomes of them; openssl judges, too."""

import base64
import datetime
import json

import pytest
from api import QC, ApiError, data_of, ready_of, thing, version_of, wait_until
from crypto import digest, fingerprint, openssl, pem_body

ENTRIES = {"tls.crt", "tls.key", "ca.crt", "cert.pem", "key.pem", "pub.pem", "metadata.json"}
QUIET = 3.0


def certificate(namespace, name, kind="self-signed", parent=None, **spec):
    more = {} if parent is None else {"parentCARef": {"name": parent}}
    return thing(QC, namespace, name, {"algorithm": "ML-DSA-44", "certType": kind, **more, **spec})


def chain(namespace):
    """A root, an intermediate, a server and a client."""
    return [
        certificate(namespace, "root", "ca", commonName="Root", organization="Bücher AG", country="DE"),
        certificate(namespace, "middle", "ca", "root", commonName="Middle", pathLen=0, durationDays=200),
        certificate(namespace, "server", "server", "middle", subjectAltNames=["example.com"], durationDays=90),
        certificate(namespace, "client", "client", "middle", commonName="client", durationDays=90),
    ]


@pytest.fixture
def made(api, operator, namespace):
    api.make(*chain(namespace))
    return namespace


def secret(api, namespace, name):
    return api.secret(namespace, f"{name}-secret")


def verify(folder, content, purpose):
    arguments = ("-x509_strict", "-purpose", purpose, "-CAfile", "ca.pem", "-untrusted", "chain.pem", "chain.pem")
    return openssl(folder, "verify", *arguments, ca_pem=content["ca.crt"], chain_pem=content["tls.crt"])


def text_of(folder, pem):
    return openssl(folder, "x509", "-in", "cert.pem", "-noout", "-text", "-nameopt", "RFC2253,utf8,-esc_msb", cert_pem=pem).decode()


def blocks(pem):
    return pem.count(b"BEGIN CERTIFICATE")


def seconds(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def serial(found):
    return found["status"]["serialNumber"]


def wait_reissued(api, namespace, name, old_serial):
    def probe():
        found = api.get(QC, namespace, name)
        current = found["status"].get("observedGeneration") == found["metadata"]["generation"]
        return found if current and serial(found) != old_serial and found["status"]["status"] == "Success" else None

    return wait_until(f"{name} is issued again", probe)


def test_a_chain(api, made, tmp_path):
    for name, purpose, length in (("server", "sslserver", 2), ("client", "sslclient", 2), ("middle", "any", 1), ("root", "any", 1)):
        content = secret(api, made, name)
        assert content.keys() == ENTRIES
        assert blocks(content["tls.crt"]) == length and blocks(content["ca.crt"]) == blocks(content["cert.pem"]) == 1
        assert content["tls.crt"].startswith(content["cert.pem"]) and content["tls.key"] == content["key.pem"]
        assert content["ca.crt"] == secret(api, made, "root")["cert.pem"]
        verify(tmp_path, content, purpose)
        assert openssl(tmp_path, "pkey", "-in", "key.pem", "-pubout", key_pem=content["tls.key"]) == content["pub.pem"]
        stored = api.get("Secret", made, f"{name}-secret")
        assert stored["type"] == "kubernetes.io/tls"
        status = api.get(QC, made, name)["status"]
        assert status["certPEM"].encode() == content["cert.pem"] and status["publicKeyPEM"].encode() == content["pub.pem"]
        assert status["fingerprint"] == fingerprint(pem_body(content["cert.pem"]))
        assert status["digest"] == digest(pem_body(content["cert.pem"]))
        assert "PRIVATE" not in json.dumps(status)
    status = api.get(QC, made, "server")["status"]
    assert (status["subject"], status["issuer"]) == ("CN=example.com", "CN=Middle")
    assert api.get(QC, made, "middle")["status"]["issuer"] == "CN=Root,O=Bücher AG,C=DE"
    assert len(status["serialNumber"]) == 40
    assert seconds(status["notAfter"]) - seconds(status["notBefore"]) == 90 * 86400
    assert seconds(status["renewalTime"]) == seconds(status["notAfter"]) - (90 * 86400 - 60) // 3


def test_trap_49_extensions(api, made, tmp_path):
    server, root, middle = (text_of(tmp_path, secret(api, made, name)["cert.pem"]) for name in ("server", "root", "middle"))
    assert "X509v3 Basic Constraints: critical\n                CA:FALSE" in server
    assert "X509v3 Key Usage: critical\n                Digital Signature\n" in server
    assert "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n" in server
    assert "DNS:example.com" in server and "X509v3 Authority Key Identifier" in server
    assert "X509v3 Basic Constraints: critical\n                CA:TRUE\n" in root
    assert "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n" in root
    assert "Extended Key Usage" not in root
    assert "CA:TRUE, pathlen:0" in middle


def test_an_older_manifest(api, operator, namespace, tmp_path):
    spec = {"algorithm": "Dilithium5", "domain": "example.com, www.example.com", "days": 365, "secretName": "sample-tls"}
    [found] = api.make(thing(QC, namespace, "sample", spec))
    content = api.secret(namespace, "sample-tls")
    assert found["status"]["algorithm"] == "ML-DSA-87" and found["status"]["subject"] == "CN=example.com"
    assert "DNS:example.com, DNS:www.example.com" in text_of(tmp_path, content["cert.pem"])
    assert content["ca.crt"] == content["tls.crt"] == content["cert.pem"]
    verify(tmp_path, content, "sslserver")


def test_mixed_algorithms(api, operator, namespace, tmp_path):
    api.make(
        certificate(namespace, "root", "ca", commonName="Root", algorithm="SLH-DSA-SHA2-128s"),
        certificate(namespace, "leaf", "server", "root", domain="a.example", algorithm="ML-DSA-65"),
    )
    content = secret(api, namespace, "leaf")
    verify(tmp_path, content, "sslserver")
    assert "Signature Algorithm: SLH-DSA-SHA2-128s" in text_of(tmp_path, content["cert.pem"])


def test_a_deep_chain(api, operator, namespace, tmp_path):
    names = [f"ca-{number}" for number in range(12)]
    things = [certificate(namespace, names[0], "ca", commonName=names[0])]
    things += [certificate(namespace, name, "ca", above, commonName=name) for above, name in zip(names, names[1:])]
    api.make(*reversed(things), certificate(namespace, "leaf", "server", names[-1], domain="deep.example"))
    content = secret(api, namespace, "leaf")
    assert blocks(content["tls.crt"]) == 12
    verify(tmp_path, content, "sslserver")


def test_names_of_every_type(api, operator, namespace, tmp_path):
    names = ["Bücher.example", "*.example.com", "192.0.2.1", "2001:DB8::1", "me@bücher.example", "spiffe://example.com/a", "localhost"]
    api.make(certificate(namespace, "all", subjectAltNames=[*names, "xn--bcher-kva.example"], commonName="Übung"))
    text = text_of(tmp_path, secret(api, namespace, "all")["cert.pem"])
    wanted = (
        "DNS:xn--bcher-kva.example, DNS:*.example.com, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1, "
        "email:me@xn--bcher-kva.example, URI:spiffe://example.com/a, DNS:localhost\n"
    )
    assert wanted in text and "CN=Übung" in text


def test_an_empty_subject_makes_the_names_critical(api, operator, namespace, tmp_path):
    api.make(
        certificate(namespace, "root", "ca", commonName="Root"),
        certificate(namespace, "leaf", "client", "root", subjectAltNames=["spiffe://example.com/workload"]),
    )
    content = secret(api, namespace, "leaf")
    assert "X509v3 Subject Alternative Name: critical" in text_of(tmp_path, content["cert.pem"])
    verify(tmp_path, content, "sslclient")


BAD_SPECS = {
    "wildcard": ({"domain": "*.com"}, "spec.domain: \"*.com\": not a host name: a wildcard"),
    "inner wildcard": ({"subjectAltNames": ["a.*.example.com"]}, "spec.subjectAltNames[0]"),
    "port": ({"domain": "example.com:443"}, "a host name has no port"),
    "port of one label": ({"domain": "web:8443"}, 'spec.domain: "web:8443": not a host name: a host name has no port'),
    "mapped address": ({"domain": "::ffff:192.0.2.1"}, "write 192.0.2.1"),
    "commitment": ({"domain": "a.example", "usages": ["content commitment"]}, "does not go with server auth"),
    "stamps and more": ({"domain": "a.example", "usages": ["timestamping", "server auth"]}, "must be the only extended key usage"),
    "underscore": ({"domain": "my_host.example"}, "no underscore"),
    "long label": ({"domain": "a" * 64 + ".example"}, "longer than 63"),
    "bad address": ({"domain": "192.0.2.300"}, "as if it were an address"),
    "no subject": ({"certType": "ca", "subjectAltNames": ["a.example"]}, "spec.commonName: is required with certType ca"),
    "renewal": ({"domain": "a.example", "duration": "1h", "renewBefore": "1h"}, "spec.renewBefore: 1h is not shorter"),
    "two lives": ({"domain": "a.example", "duration": "25h", "durationDays": 1}, "differ; give one of them"),
    "short": ({"domain": "a.example", "duration": "59s"}, "spec.duration: 59s is not between"),
    "usage": ({"domain": "a.example", "usages": ["cert sign"]}, "for certType ca only"),
    "server without names": ({"certType": "server", "parentCARef": {"name": "x"}, "commonName": "No host"}, "needs a host name"),
    "many": ({"domain": "a..b,ok.example,", "country": "XX"}, "spec.domain"),
}  # fmt: skip


@pytest.mark.parametrize("spec, message", BAD_SPECS.values(), ids=BAD_SPECS)
def test_bad_specs(api, operator, namespace, spec, message):
    api.create(thing(QC, namespace, "bad", spec))
    failed = api.wait_status(QC, namespace, "bad", "Failed", "InvalidSpec")
    assert message in failed["status"]["error"]
    assert api.find("Secret", namespace, "bad-secret") is None


REFUSED = {
    "no parent": ({"certType": "server", "domain": "a.example"}, "parentCARef is required"),
    "a parent": ({"domain": "a.example", "parentCARef": {"name": "x"}}, "does not go with certType self-signed"),
    "path": ({"domain": "a.example", "pathLen": 1}, "pathLen goes only with certType ca"),
    "days": ({"domain": "a.example", "days": 1, "durationDays": 2}, "two names of one field"),
    "too long": ({"domain": "a.example", "days": 36501}, "36500"),
    "country": ({"domain": "a.example", "country": "de"}, "spec.country"),
    "encipherment": ({"domain": "a.example", "usages": ["key encipherment"]}, "which only sign"),
    "renewal": ({"domain": "a.example", "renewBefore": "0%"}, "spec.renewBefore"),
    "type": ({"domain": "a.example", "certType": "leaf"}, "Unsupported value"),
    "name": ({"commonName": "x" * 65}, "Too long"),
}


@pytest.mark.parametrize("spec, message", REFUSED.values(), ids=REFUSED)
def test_specs_that_the_schema_refuses(api, operator, namespace, spec, message):
    with pytest.raises(ApiError, match=message):
        api.create(thing(QC, namespace, "bad", spec))


def test_path_lengths(api, made):
    api.create(certificate(made, "below", "ca", "middle", commonName="Below"))
    assert "pathLen 0" in api.wait_status(QC, made, "below", "Failed", "InvalidSpec")["status"]["error"]
    api.make(certificate(made, "two", "ca", "root", commonName="Two", pathLen=2))
    api.create(certificate(made, "three", "ca", "two", commonName="Three", pathLen=2))
    assert "spec.pathLen: 2 is not below" in api.wait_status(QC, made, "three", "Failed", "InvalidSpec")["status"]["error"]
    api.create(certificate(made, "child", "server", "server", domain="x.example"))
    assert "not of certType ca" in api.wait_status(QC, made, "child", "Failed", "InvalidSpec")["status"]["error"]
    api.create(certificate(made, "orphan", "server", "nobody", domain="x.example"))
    api.wait_status(QC, made, "orphan", "Pending", "WaitingForQuantumCertificate")


def test_path_lengths_are_inherited(api, operator, namespace, tmp_path):
    api.make(
        certificate(namespace, "root", "ca", commonName="Root", pathLen=1),
        certificate(namespace, "middle", "ca", "root", commonName="Middle"),
        certificate(namespace, "leaf", "server", "middle", domain="a.example"),
    )
    assert "CA:TRUE, pathlen:0" in text_of(tmp_path, secret(api, namespace, "middle")["cert.pem"])
    verify(tmp_path, secret(api, namespace, "leaf"), "sslserver")
    api.create(certificate(namespace, "below", "ca", "middle", commonName="Below"))
    assert "pathLen 0" in api.wait_status(QC, namespace, "below", "Failed", "InvalidSpec")["status"]["error"]
    # What stands below follows an edit above.
    before = api.get(QC, namespace, "middle")
    api.patch(QC, namespace, "root", {"spec": {"pathLen": 2}})
    wait_reissued(api, namespace, "middle", serial(before))
    wait_until("one more may follow", lambda: "pathlen:1" in text_of(tmp_path, secret(api, namespace, "middle")["cert.pem"]))
    api.wait_success(QC, namespace, "below")


def test_a_ca_of_servers_only(api, operator, namespace, tmp_path):
    api.make(
        certificate(namespace, "root", "ca", commonName="Root", usages=["server auth"]),
        certificate(namespace, "leaf", "server", "root", domain="a.example"),
    )
    verify(tmp_path, secret(api, namespace, "leaf"), "sslserver")
    api.create(certificate(namespace, "client", "client", "root", commonName="client"))
    failed = api.wait_status(QC, namespace, "client", "Failed", "InvalidSpec")
    assert "spec.usages: client auth is not among the extended key usages" in failed["status"]["error"]


def test_time_stamping(api, operator, namespace, tmp_path):
    api.make(certificate(namespace, "stamp", commonName="Stamps", usages=["timestamping"]))
    content = secret(api, namespace, "stamp")
    assert "X509v3 Extended Key Usage: critical\n                Time Stamping\n" in text_of(tmp_path, content["cert.pem"])
    verify(tmp_path, content, "timestampsign")


@pytest.mark.parametrize(
    "name, subject",
    [("192.0.2.1", "CN=192.0.2.1"), ("2001:DB8::1", "CN=2001:db8::1"), ("a" * 63 + ".example", "CN=ni:///sha-256")],
)
def test_self_signed_for_one_name_alone(api, operator, namespace, tmp_path, name, subject):
    [found] = api.make(certificate(namespace, "alone", subjectAltNames=[name]))
    assert found["status"]["subject"].startswith(subject) and found["status"]["issuer"] == found["status"]["subject"]
    content = secret(api, namespace, "alone")
    verify(tmp_path, content, "sslserver")
    for wanted in (name, "a" * 60):
        option = "-verify_ip" if ":" in wanted or wanted[0] == "1" else "-verify_hostname"
        arguments = ("verify", "-x509_strict", "-CAfile", "ca.pem", option, wanted, "chain.pem")
        files = {"ca_pem": content["ca.crt"], "chain_pem": content["tls.crt"]}
        if wanted == name:
            openssl(tmp_path, *arguments, **files)
        else:
            with pytest.raises(AssertionError):
                openssl(tmp_path, *arguments, **files)


def test_cycles_are_refused_and_can_be_broken(api, operator, namespace):
    for name, above in (("a", "b"), ("b", "c"), ("c", "a"), ("self", "self")):
        api.create(certificate(namespace, name, "ca", above, commonName=name))
    for name in ("a", "b", "c", "self"):
        failed = api.wait_status(QC, namespace, name, "Failed", "InvalidSpec")
        assert "back to itself" in failed["status"]["error"]
    api.patch(QC, namespace, "c", {"spec": {"parentCARef": None}})
    for name in ("c", "b", "a"):
        api.wait_success(QC, namespace, name)


def test_the_end_is_not_past_the_issuers(api, operator, namespace):
    root, leaf = api.make(
        certificate(namespace, "root", "ca", commonName="Root", durationDays=10),
        certificate(namespace, "leaf", "server", "root", domain="a.example", durationDays=20),
    )
    assert leaf["status"]["notAfter"] == root["status"]["notAfter"]
    assert "issuer" in leaf["status"]["warning"]
    assert "renewalTime" not in leaf["status"] and "renewalTime" in root["status"]
    metrics = operator.metrics()
    labels = f'{{name="leaf",namespace="{namespace}",issuer_name="root"}}'
    assert f"qubesec_certificate_expiration_timestamp_seconds{labels}" in metrics
    assert f"qubesec_certificate_renewal_timestamp_seconds{labels}" not in metrics, "the alert goes by it"
    wait_until("an Event warns", lambda: api.events(namespace, "leaf", "NotAfterClamped"))
    assert api.wait_event(namespace, "leaf", "NotAfterClamped")["type"] == "Warning"
    assert api.events(namespace, "root", "NotAfterClamped") == []


def test_dates_past_2049(api, operator, namespace, tmp_path):
    [made] = api.make(certificate(namespace, "long", domain="a.example", durationDays=36500))
    text = text_of(tmp_path, secret(api, namespace, "long")["cert.pem"])
    for said, field in (("Not Before: ", "notBefore"), ("Not After : ", "notAfter")):
        there = datetime.datetime.strptime(text.partition(said)[2].partition(" GMT")[0], "%b %d %H:%M:%S %Y")
        assert there.replace(tzinfo=datetime.UTC).timestamp() == seconds(made["status"][field])
    assert seconds(made["status"]["notAfter"]) - seconds(made["status"]["notBefore"]) == 36500 * 86400


# ---- a CA that is not Ready


def wait_pending(api, namespace, name, *words):
    found = api.wait_status(QC, namespace, name, "Pending", "WaitingForQuantumCertificate")
    message = ready_of(found)["message"]
    assert all(word in message for word in words), message
    return found


def take_offline(api, namespace, name):
    """The CA and its Secret, which outlives it, are taken out of the cluster."""
    api.delete(QC, namespace, name)
    api.wait_gone(QC, namespace, name)
    api.delete("Secret", namespace, f"{name}-secret")
    api.wait_gone("Secret", namespace, f"{name}-secret")


def test_a_ca_issues_while_its_root_is_away(api, made, tmp_path):
    """As the guide to a private PKI has it: the root and its Secret are taken out of the cluster."""
    before = api.get(QC, made, "server")
    take_offline(api, made, "root")
    wait_pending(api, made, "middle")
    [other] = api.make(certificate(made, "other", "server", "middle", domain="other.example"))
    assert other["status"]["issuer"] == "CN=Middle"
    verify(tmp_path, secret(api, made, "other"), "sslserver")
    api.patch(QC, made, "server", {"spec": {"subjectAltNames": ["example.com", "www.example.com"]}})
    wait_reissued(api, made, "server", serial(before))
    verify(tmp_path, secret(api, made, "server"), "sslserver")
    assert ready_of(api.get(QC, made, "client"))["status"] == "True", "only the CA itself says what is wrong"
    wait_pending(api, made, "middle")


def test_a_restart_below_a_ca_whose_root_is_away(api, operators, made):
    take_offline(api, made, "root")
    wait_pending(api, made, "middle")
    before = api.get(QC, made, "server")
    operators.stop()
    operators.default().settle()
    assert api.get(QC, made, "server") == before
    api.make(certificate(made, "other", "server", "middle", domain="other.example"))


def test_a_ca_issues_in_spite_of_a_bad_edit(api, made, tmp_path):
    before = api.get(QC, made, "middle")
    api.patch(QC, made, "middle", {"spec": {"subjectAltNames": ["a_b.example"]}})
    api.wait_status(QC, made, "middle", "Failed", "InvalidSpec")
    api.make(certificate(made, "other", "server", "middle", domain="other.example"))
    verify(tmp_path, secret(api, made, "other"), "sslserver")
    assert ready_of(api.get(QC, made, "server"))["status"] == "True"
    api.patch(QC, made, "middle", {"spec": {"subjectAltNames": None}})
    assert serial(api.wait_success(QC, made, "middle")) == serial(before)


def test_a_ca_issues_while_it_may_not_read_its_root(api, operator, namespace, tmp_path):
    """Its issuer is in another namespace, and the grant was taken back."""
    api.make(certificate(namespace, "root", "ca", commonName="Root"), certificate(namespace, "middle", "ca", "root", commonName="Middle"))
    api.patch(QC, namespace, "middle", {"spec": {"parentCARef": {"namespace": "kube-system"}}})
    api.wait_status(QC, namespace, "middle", "Failed", "AccessDenied")
    api.make(certificate(namespace, "leaf", "server", "middle", domain="a.example"))
    verify(tmp_path, secret(api, namespace, "leaf"), "sslserver")


def test_a_ca_issues_until_it_is_gone(api, made):
    """Nobody looks again at one that waits for its finalizer; its deletion is an edit that is not waited for."""
    api.patch(QC, made, "middle", {"metadata": {"finalizers": ["example.com/hold"]}})
    api.delete(QC, made, "middle")
    api.make(certificate(made, "other", "server", "middle", domain="other.example"))
    api.patch(QC, made, "middle", {"metadata": {"finalizers": None}})
    api.wait_gone(QC, made, "middle")


def test_a_ca_issues_although_others_write_to_its_secret(api, made, tmp_path):
    """It cannot look at it, since it has failed; whoever is issued by it sees that it holds what was verified."""
    api.patch(QC, made, "middle", {"spec": {"subjectAltNames": ["a_b.example"]}})
    api.wait_status(QC, made, "middle", "Failed", "InvalidSpec")
    api.patch("Secret", made, "middle-secret", {"metadata": {"annotations": {"example.com/backup": "yes"}}})
    api.patch("Secret", made, "server-secret", {"metadata": {"annotations": {"example.com/backup": "yes"}}})
    api.make(certificate(made, "other", "server", "middle", domain="other.example"))
    verify(tmp_path, secret(api, made, "other"), "sslserver")
    api.wait_success(QC, made, "server")


def test_nothing_is_signed_with_what_a_ca_has_not_verified(api, made):
    api.patch(QC, made, "middle", {"spec": {"subjectAltNames": ["a_b.example"]}})
    api.wait_status(QC, made, "middle", "Failed", "InvalidSpec")
    api.patch("Secret", made, "middle-secret", {"data": api.get("Secret", made, "root-secret")["data"]})
    api.create(certificate(made, "other", "server", "middle", domain="other.example"))
    found = api.wait_status(QC, made, "other", "Pending", "WaitingForInput")
    assert "holds another certificate than the CA has verified" in ready_of(found)["message"]


def test_a_ca_that_never_was_ready_is_waited_for(api, operator, namespace):
    api.create(certificate(namespace, "ca", "ca", subjectAltNames=["a_b.example"], commonName="CA"))
    api.wait_status(QC, namespace, "ca", "Failed", "InvalidSpec")
    api.create(certificate(namespace, "leaf", "server", "ca", domain="a.example"))
    wait_pending(api, namespace, "leaf", "has failed (InvalidSpec)")
    api.patch(QC, namespace, "ca", {"spec": {"subjectAltNames": None}})
    api.wait_success(QC, namespace, "leaf")


# ---- edits


def test_no_edit_leads_across_the_line_to_cas(api, made):
    for name, kind in (("server", "ca"), ("root", "self-signed")):
        with pytest.raises(ApiError, match="spec.certType is immutable across ca"):
            api.patch(QC, made, name, {"spec": {"certType": kind, "parentCARef": None, "commonName": "x"}})
    before = api.get(QC, made, "server")
    api.patch(QC, made, "server", {"spec": {"certType": "client"}})
    wait_reissued(api, made, "server", serial(before))


def test_an_edit_issues_anew_with_the_same_key(api, made):
    before = api.get(QC, made, "server")
    key = secret(api, made, "server")["tls.key"]
    api.patch(QC, made, "server", {"spec": {"subjectAltNames": ["example.com", "www.example.com"]}})
    after = wait_reissued(api, made, "server", serial(before))
    assert secret(api, made, "server")["tls.key"] == key
    assert after["status"]["secretRef"]["uid"] == before["status"]["secretRef"]["uid"]
    replaced = api.wait_event(made, "server", "Replaced")
    was, now = before["status"]["fingerprint"], after["status"]["fingerprint"]
    assert (replaced["type"], replaced["note"]) == ("Normal", f"Secret server-secret: spec has changed; {was} was replaced by {now}")
    assert not [reason for reason in ("SecretDamaged", "SecretRepaired", "KeyReplaced") if api.events(made, "server", reason)]
    for change in ({"subjectAltNames": ["EXAMPLE.com", "www.example.com", "example.com"]}, {"durationDays": None, "duration": "2160h"}, {"renewBefore": "50%"}):
        api.patch(QC, made, "server", {"spec": change})
        same = api.wait_success(QC, made, "server")
        assert serial(same) == serial(after), f"{change} is no other certificate"
    assert seconds(same["status"]["renewalTime"]) == seconds(same["status"]["notAfter"]) - 45 * 86400 + 30


def test_a_reissued_ca_reissues_what_is_below(api, made, tmp_path):
    before = {name: api.get(QC, made, name) for name in ("root", "middle", "server", "client")}
    soon = {"publishAhead": "1s", "keepFor": "1s"}
    api.patch(QC, made, "root", {"spec": {"organization": "Other", "rotation": soon}})
    for name, old in before.items():
        wait_reissued(api, made, name, serial(old))
    wait_until("the roots are told", lambda: secret(api, made, "server")["ca.crt"] == secret(api, made, "root")["ca.crt"])
    verify(tmp_path, secret(api, made, "server"), "sslserver")
    with pytest.raises(ApiError, match="immutable"):
        api.patch(QC, made, "root", {"spec": {"algorithm": "ML-DSA-87"}})


def test_a_deleted_ca_leaves_what_it_issued(api, made):
    before = version_of(api.get("Secret", made, "server-secret"))
    api.delete(QC, made, "middle")
    found = api.wait_status(QC, made, "server", "Pending", "WaitingForQuantumCertificate")
    assert found["status"]["notAfter"] and version_of(api.get("Secret", made, "server-secret")) == before
    api.patch(QC, made, "server", {"spec": {"parentCARef": {"name": "root"}}})
    api.wait_success(QC, made, "server")


def test_a_bad_edit_keeps_the_old_certificate(api, made):
    before = api.get(QC, made, "server")
    api.patch(QC, made, "server", {"spec": {"subjectAltNames": ["a_b.example"]}})
    failed = api.wait_status(QC, made, "server", "Failed", "InvalidSpec")
    assert serial(failed) == serial(before) and failed["status"]["notAfter"] == before["status"]["notAfter"]
    assert ready_of(failed)["status"] == "False"
    api.patch(QC, made, "server", {"spec": {"subjectAltNames": ["example.com"]}})
    assert serial(api.wait_success(QC, made, "server")) == serial(before)


# ---- the Secret


def damage(api, namespace, name, entries):
    """entries: by name, None for one that goes; all in one write, or the operator mends one before the next is damaged."""
    data = {key: None if value is None else base64.b64encode(value).decode() for key, value in entries.items()}
    api.patch("Secret", namespace, name, {"data": data})


def without_metadata(content):
    return {name: value for name, value in content.items() if name != "metadata.json"}


REQUIRED = {"tls.crt", "tls.key"}  # by Kubernetes, of a Secret of this type
DAMAGE = {
    **{f"{entry}-gone": (entry, lambda other: None) for entry in sorted(ENTRIES - REQUIRED)},
    **{f"{entry}-empty": (entry, lambda other: b"") for entry in sorted(REQUIRED)},
    **{f"{entry}-changed": (entry, lambda other: b"-----BEGIN X-----\nAAAA\n-----END X-----\n") for entry in sorted(ENTRIES)},
    **{f"{entry}-of-another": (entry, lambda other, entry=entry: other[entry]) for entry in ("tls.crt", "cert.pem", "pub.pem", "metadata.json")},
}


@pytest.mark.parametrize("entry, content", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_mended_around_the_certificate_and_its_key(api, made, entry, content):
    before = api.get(QC, made, "server")
    good = secret(api, made, "server")
    damage(api, made, "server-secret", {entry: content(secret(api, made, "client"))})
    event = api.wait_event(made, "server", "SecretRepaired")
    assert event["type"] == "Warning" and "Secret server-secret was damaged" in event["note"]
    found = wait_until("it is verified", lambda: verified(api, made, "server"))
    after = secret(api, made, "server")
    assert after.keys() == ENTRIES and without_metadata(after) == without_metadata(good)
    for field in ("serialNumber", "digest", "conditions", "notAfter", "renewalTime"):
        assert found["status"][field] == before["status"][field], field
    assert not [reason for reason in ("SecretDamaged", "KeyReplaced", "Replaced") if api.events(made, "server", reason)]


def verified(api, namespace, name):
    """The certificate, once its status names the Secret as it is."""
    found = api.get(QC, namespace, name)
    current = found["status"]["secretRef"]["resourceVersion"] == version_of(api.get("Secret", namespace, f"{name}-secret"))
    return found if current and found["status"]["status"] == "Success" else None


@pytest.mark.parametrize("entry, other", [("tls.key", "key.pem"), ("key.pem", "tls.key")])
def test_of_two_sound_keys_none_is_chosen(api, made, entry, other):
    before, client = api.get(QC, made, "server"), secret(api, made, "client")
    good = secret(api, made, "server")
    damage(api, made, "server-secret", {entry: client[entry]})
    spoilt = api.get("Secret", made, "server-secret")
    failed = api.wait_status(QC, made, "server", "Failed", "KeyMismatch")
    ours, theirs = (fingerprint(pem_body(content["pub.pem"])[-1312:]) for content in (good, client))
    said = failed["status"]["error"]
    kept = "key.pem" if entry == "tls.key" else "tls.key"
    assert ours in said and theirs in said and "nothing was written" in said
    assert said.endswith(f"The certificate in cert.pem is for the key in {kept}")
    assert api.get("Secret", made, "server-secret") == spoilt
    assert serial(failed) == serial(before) and failed["status"]["notAfter"] == before["status"]["notAfter"]
    damage(api, made, "server-secret", {entry: b""})  # as the message says
    wait_until("it is verified", lambda: verified(api, made, "server"))
    assert without_metadata(secret(api, made, "server")) == without_metadata(good)


def test_a_lost_key_is_made_anew(api, made, tmp_path):
    before, good = api.get(QC, made, "server"), secret(api, made, "server")
    damage(api, made, "server-secret", {"tls.key": b"", "key.pem": b""})
    after = wait_reissued(api, made, "server", serial(before))
    content = secret(api, made, "server")
    verify(tmp_path, content, "sslserver")
    assert content["tls.key"] != good["tls.key"]
    event = api.wait_event(made, "server", "SecretDamaged")
    was, now = before["status"]["fingerprint"], after["status"]["fingerprint"]
    assert event["type"] == "Warning" and f"{was} was replaced by {now} (private key)" in event["note"]


def test_a_foreign_secret_is_not_touched(api, operator, namespace):
    body = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"namespace": namespace, "name": "leaf-secret"}}
    foreign = api.create({**body, "data": {"tls.crt": "AAAA", "tls.key": "AAAA"}})
    api.create(certificate(namespace, "leaf", domain="a.example"))
    api.wait_status(QC, namespace, "leaf", "Failed", "SecretConflict")
    assert api.get("Secret", namespace, "leaf-secret") == foreign


def test_a_retained_certificate_is_taken_over(api, operator, namespace):
    one = certificate(namespace, "kept", domain="a.example", deletionPolicy="Retain")
    [before] = api.make(one)
    api.delete(QC, namespace, "kept")
    api.wait_gone(QC, namespace, "kept")
    [after] = api.make(one)
    assert serial(after) == serial(before)
    event = api.wait_event(namespace, "kept", "Adopted")
    note = f"took over Secret kept-secret with its private key, {before['status']['fingerprint']}"
    assert (event["type"], event["note"]) == ("Normal", note)


def test_a_restart_issues_nothing(api, operators, made):
    before = {name: (api.get(QC, made, name), version_of(api.get("Secret", made, f"{name}-secret"))) for name in ("root", "middle", "server", "client")}
    operators.stop()
    operators.default().settle()
    assert before == {name: (api.get(QC, made, name), version_of(api.get("Secret", made, f"{name}-secret"))) for name in before}


def test_what_kubectl_shows(cluster, made):
    header, *rows = cluster.kubectl("get", "qc", "--namespace", made).splitlines()
    assert header.split() == ["NAME", "READY", "REASON", "EXPIRES", "ISSUER", "SECRET", "AGE"]
    assert any(row.split()[:3] == ["server", "True", "Succeeded"] and "CN=Middle" in row for row in rows)


def test_metrics(api, operator, made):
    status = api.get(QC, made, "server")["status"]
    labels = f'{{name="server",namespace="{made}",issuer_name="middle"}}'
    metrics = operator.metrics()
    assert metrics[f"qubesec_certificate_expiration_timestamp_seconds{labels}"] == seconds(status["notAfter"])
    assert metrics[f"qubesec_certificate_renewal_timestamp_seconds{labels}"] == seconds(status["renewalTime"])
    assert metrics[f'qubesec_certificate_ready_status{{condition="True",{labels[1:]}'] == 1
    api.delete(QC, made, "server")
    api.wait_gone(QC, made, "server")
    wait_until("its metrics are gone", lambda: not [key for key in operator.metrics() if f'name="server",namespace="{made}"' in key])


def test_data_keys(api, made):
    metadata = json.loads(data_of(api.get("Secret", made, "server-secret"))["metadata.json"])
    assert metadata["algorithm"] == "ML-DSA-44" and metadata["standard"] == "RFC 5280"
