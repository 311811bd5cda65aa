"""qubesec render: what the operator would make of manifests, made without a cluster."""

import base64
import fcntl
import json
import os
import pathlib
import stat
import subprocess
import time

import crypto
import pytest
import yaml
from api import QC, QDK, QES, QKKP, QRN, QSKP, QSM, QVS, config_map_thing, data_of, ready_of, secret_thing, thing
from fixtures import BINARY, CHECKOUT

SAMPLE = CHECKOUT / "config" / "samples" / "complete-workflow.yaml"
DAY = 86400


def run(*arguments, days=0, text=None, folder=None):
    """The verb, in an environment that knows of no cluster; days: how far its wall clock is off."""
    environment = {key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")}
    if days:
        library = BINARY.with_name("libshifted_clock.so")
        # ASan wants to be the first library; here the clock is, which takes nothing that ASan watches.
        sanitizer = f"{environment.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0"
        environment |= {"LD_PRELOAD": str(library), "SHIFTED_CLOCK_SECONDS": str(int(days * DAY)), "ASAN_OPTIONS": sanitizer}
    command = [BINARY, "render", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment, input=text, cwd=folder)


def render(things, folder, *arguments, days=0, status=0):
    """What is made of things, by kind and name."""
    file = folder / "things.yaml"
    file.write_text(yaml.safe_dump_all(things))
    done = run("-f", file, *arguments, days=days)
    assert done.returncode == status, done.stderr
    return parse(done.stdout)


def parse(text):
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text)}


def data(rendered, name):
    return data_of(rendered["Secret", name])


# ---- the same as the operator makes


def shape(value):
    """What is the same of two objects of the same spec: names and types, and texts that say no key or time."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in sorted(value.items())}
    if isinstance(value, list):
        return [shape(one) for one in value]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def strip(metadata):
    """Labels and annotations, without what names an object of one API."""
    annotations = {key: value for key, value in metadata.get("annotations", {}).items() if key != "qubesec.io/owner-uid"}
    return metadata["name"], metadata["namespace"], metadata.get("labels"), annotations


def provenance(found):
    """The metadata entry, without digests and times."""
    [entry] = [value for key, value in found.items() if key.startswith("metadata")]
    return shape(yaml.safe_load(entry))


def test_the_nine_are_what_the_operator_makes(api, operator, namespace):
    rendered = run("-f", SAMPLE, "-n", namespace)
    assert (rendered.returncode, rendered.stderr) == (0, "")
    rendered = parse(rendered.stdout)
    things = list(yaml.safe_load_all(SAMPLE.read_text()))
    for one in things:
        one["metadata"]["namespace"] = namespace
        api.create(one)
    for one in things:
        kind, name = one["kind"], one["metadata"]["name"]
        found = api.wait_status(kind, namespace, name, "Valid" if kind == QVS else "Success")
        ours = rendered.pop((kind, name))
        assert ours["spec"] == one["spec"]  # the API server adds the defaults that its definitions state
        assert shape(ours["status"]) == shape(found["status"]), (kind, name)
        for field in ("status", "observedGeneration", "algorithm"):
            assert ours["status"].get(field) == found["status"].get(field)
        assert ready_of(ours)["reason"] == ready_of(found)["reason"]
        if kind == QVS:
            continue
        secret, our_secret = api.output(found), rendered.pop(("Secret", found["status"]["secretRef"]["name"]))
        assert strip(our_secret["metadata"]) == strip(secret["metadata"])
        assert "qubesec.io/owner-uid" not in our_secret["metadata"]["annotations"]
        assert our_secret["type"] == secret["type"]
        made, ours = data_of(secret), data_of(our_secret)
        assert set(ours) == set(made)
        assert provenance(ours) == provenance(made)
        if kind != QC:  # whose numbers have their own lengths
            assert {key: len(value) for key, value in ours.items() if "metadata" not in key} == {
                key: len(value) for key, value in made.items() if "metadata" not in key
            }
    assert rendered == {}


def test_what_is_rendered_stands_by_other_means(tmp_path):
    rendered = parse(run("-f", SAMPLE).stdout)
    pair, sealed, opened = (data(rendered, name) for name in ("workflow-kem", "workflow-encapsulated", "workflow-decapsulated"))
    assert opened["shared_secret"] == sealed["shared_secret"]
    assert crypto.decapsulate(tmp_path, pair["private_key.pem"], sealed["ciphertext"]) == sealed["shared_secret"]
    signer, signature = data(rendered, "workflow-signer"), data(rendered, "workflow-signed-signature")
    message = data(rendered, "workflow-random")["random"]
    verify = ("pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin", "-in", "message", "-sigfile", "signature")
    crypto.openssl(tmp_path, *verify, public_pem=signer["public_key.pem"], message=message, signature=signature["signature"])
    certificate = data(rendered, "workflow-certificate-secret")
    crypto.openssl(tmp_path, "verify", "-CAfile", "ca.crt", "cert.pem", ca_crt=certificate["ca.crt"], cert_pem=certificate["tls.crt"])


def test_the_operator_takes_over_what_was_rendered(api, operator, namespace):
    """Secrets first, as with a restore; a CA's stays when its resource goes."""
    things = [
        *yaml.safe_load_all(SAMPLE.read_text()),
        thing(QC, namespace, "root", {"certType": "ca", "commonName": "root", "algorithm": "ML-DSA-44"}),
    ]
    done = run("-f", "-", "-n", namespace, text=yaml.safe_dump_all(things))
    assert done.returncode == 0, done.stderr
    rendered = parse(done.stdout)
    secrets = {name: one for (kind, name), one in rendered.items() if kind == "Secret"}
    for one in secrets.values():
        api.create(one)
    for one in things:
        one["metadata"]["namespace"] = namespace
        api.create(one)
    for one in things:
        api.wait_status(one["kind"], namespace, one["metadata"]["name"], "Valid" if one["kind"] == QVS else "Success")
    for name, one in secrets.items():
        assert api.secret(namespace, name) == data_of(one), name


# ---- references


def test_references_are_followed_among_the_files_in_any_order(tmp_path):
    message = secret_thing("default", "message", {})
    message = {**message, "stringData": {"text": "from a Secret"}}
    things = [
        thing(QVS, "default", "verified", {
            "publicKeyRef": {"name": "signer"}, "signatureRef": {"name": "signed"}, "messageRef": {"name": "message", "key": "text"},
        }),
        thing(QSM, "default", "signed", {"privateKeyRef": {"name": "signer"}, "messageRef": {"name": "message", "key": "text"}}),
        thing(QSM, "default", "noted", {
            "privateKeyRef": {"name": "signer"}, "messageRef": {"kind": "ConfigMap", "name": "note", "key": "text"},
        }),
        message,
        config_map_thing("default", "note", {"text": "from a ConfigMap"}),
        thing(QSKP, "default", "signer", {"algorithm": "ML-DSA-44"}),
    ]  # fmt: skip
    files = []
    for number, one in enumerate(things):
        files += ["-f", tmp_path / f"{number}.yaml"]
        files[-1].write_text(yaml.safe_dump(one))
    done = run(*files)
    assert (done.returncode, done.stderr) == (0, "")
    rendered = parse(done.stdout)
    assert rendered[QVS, "verified"]["status"]["status"] == "Valid"
    assert ("Secret", "message") not in rendered  # it was given
    listed = {"apiVersion": "v1", "kind": "List", "items": things}
    assert run("-f", "-", text=yaml.safe_dump(listed)).returncode == 0


def test_another_namespace_is_referred_to(tmp_path):
    things = [
        thing(QC, "pki", "root", {"certType": "ca", "commonName": "root", "algorithm": "ML-DSA-44"}),
        thing(QC, "shop", "leaf", {
            "certType": "server", "subjectAltNames": ["a.example"], "algorithm": "ML-DSA-44", "parentCARef": {"name": "root", "namespace": "pki"},
        }),
    ]  # fmt: skip
    rendered = render(things, tmp_path)
    assert data(rendered, "leaf-secret")["ca.crt"] == data(rendered, "root-secret")["tls.crt"]


# ---- what is kept


def chain_of_things():
    return [
        thing(QKKP, "default", "pair", {"algorithm": "ML-KEM-512"}),
        thing(QES, "default", "sealed", {"publicKeyRef": {"name": "pair"}}),
        thing(QDK, "default", "key", {"sharedSecretRef": {"name": "sealed"}}),
        thing(QRN, "default", "numbers"),
        thing(QSKP, "default", "signer", {"algorithm": "ML-DSA-44"}),
        thing(QSM, "default", "signed", {"privateKeyRef": {"name": "signer"}, "messageRef": {"kind": "ConfigMap", "name": "note"}}),
        config_map_thing("default", "note", {"message": "one"}),
        thing(QC, "default", "root", {"certType": "ca", "commonName": "root", "algorithm": "ML-DSA-44", "durationDays": 365}),
        thing(QC, "default", "leaf", {
            "certType": "server", "subjectAltNames": ["a.example"], "algorithm": "ML-DSA-44", "parentCARef": {"name": "root"}, "durationDays": 30,
        }),
    ]  # fmt: skip


def secrets_of(rendered):
    return {name: data_of(one) for (kind, name), one in rendered.items() if kind == "Secret"}


def test_what_is_there_is_not_made_again(tmp_path):
    state = tmp_path / "state"
    first = secrets_of(render(chain_of_things(), tmp_path, "--state", state))
    kept = (state / "state.yaml").read_bytes()
    for things in (chain_of_things(), chain_of_things()[::-1], chain_of_things()[:1]):
        assert secrets_of(render(things, tmp_path, "--state", state)) == first
        assert (state / "state.yaml").read_bytes() == kept
    assert secrets_of(render(chain_of_things(), tmp_path)) != first


def test_what_has_changed_is_made_anew_and_no_more(tmp_path):
    state = tmp_path / "state"
    first = secrets_of(render(chain_of_things(), tmp_path, "--state", state))
    things = chain_of_things()
    things[6]["data"]["message"] = "two"
    second = secrets_of(render(things, tmp_path, "--state", state))
    assert {name for name in first if first[name] != second[name]} == {"signed-signature"}


def test_certificates_are_renewed_with_their_keys(tmp_path):
    state = tmp_path / "state"
    first = secrets_of(render(chain_of_things(), tmp_path, "--state", state))
    early = secrets_of(render(chain_of_things(), tmp_path, "--state", state, days=10))
    late = secrets_of(render(chain_of_things(), tmp_path, "--state", state, days=25))
    assert early == first
    assert {name for name in first if first[name] != late[name]} == {"leaf-secret"}
    assert late["leaf-secret"]["tls.key"] == first["leaf-secret"]["tls.key"]


def test_a_key_that_is_lost_is_not_made_anew_where_the_spec_says_so(tmp_path):
    state = tmp_path / "state"
    things = [thing(QKKP, "default", "pair", {"algorithm": "ML-KEM-512", "onKeyLoss": "Fail"})]
    render(things, tmp_path, "--state", state)
    kept = [one for one in yaml.safe_load_all((state / "state.yaml").read_text()) if one["kind"] != "Secret"]
    (state / "state.yaml").write_text(yaml.safe_dump_all(kept))
    rendered = render(things, tmp_path, "--state", state, status=1)
    assert ready_of(rendered[QKKP, "pair"])["reason"] == "KeyLost"
    assert ("Secret", "pair") not in rendered


def edited(things, name, **spec):
    return [{**one, "spec": {**one.get("spec", {}), **spec}} if one["metadata"]["name"] == name else one for one in things]


def test_all_of_several_edits_is_done_in_one_run(tmp_path):
    """A certificate of a CA whose own CA changes, too, and what is derived from what is sealed for another key."""
    state = tmp_path / "state"
    things = [
        thing(QC, "default", "root", {"certType": "ca", "commonName": "one", "algorithm": "ML-DSA-44"}),
        thing(QC, "default", "mid", {"certType": "ca", "commonName": "mid", "algorithm": "ML-DSA-44", "parentCARef": {"name": "root"}}),
        thing(QC, "default", "a-leaf", {
            "certType": "server", "subjectAltNames": ["a.example"], "algorithm": "ML-DSA-44", "parentCARef": {"name": "mid"},
        }),
    ]  # fmt: skip
    render(things, tmp_path, "--state", state)
    things = edited(edited(things, "root", commonName="two"), "a-leaf", subjectAltNames=["a.example", "b.example"])
    published = secrets_of(render(things, tmp_path, "--state", state))
    assert published["a-leaf-secret"]["ca.crt"].count(b"BEGIN") == 2, "the next root comes into use after an hour"
    assert published["a-leaf-secret"]["ca.crt"] == published["root-secret"]["ca.crt"]
    render(things, tmp_path, "--state", state, days=1)
    second = secrets_of(render(things, tmp_path, "--state", state, days=2))
    for days in (2, 300):
        files = {
            "root_pem": second["root-secret"]["tls.crt"], "mid_pem": second["mid-secret"]["tls.crt"], "leaf_pem": second["a-leaf-secret"]["tls.crt"],
        }  # fmt: skip
        when = str(int(time.time() + days * DAY))
        crypto.openssl(tmp_path, "verify", "-attime", when, "-CAfile", "root.pem", "-untrusted", "mid.pem", "leaf.pem", **files)
        assert second["a-leaf-secret"]["ca.crt"] == second["root-secret"]["tls.crt"]
        kept = (state / "state.yaml").read_bytes()
        assert secrets_of(render(things, tmp_path, "--state", state, days=days)) == second
        assert (state / "state.yaml").read_bytes() == kept
        second = secrets_of(render(things, tmp_path, "--state", state, days=300))


EDITS = {
    "algorithm": ("pair", {"algorithm": "ML-KEM-768"}, "algorithm"),
    "signer": ("signer", {"algorithm": "ML-DSA-87"}, "algorithm"),
    "bytes": ("numbers", {"numBytes": 48}, "numBytes"),
    "a CA's algorithm": ("root", {"algorithm": "ML-DSA-87"}, "algorithm"),
    "no CA any more": ("root", {"certType": "self-signed"}, "certType"),
    "the Secret's name": ("pair", {"outputSecretName": "other"}, "outputSecretName"),
}


@pytest.mark.parametrize(("name", "spec", "field"), EDITS.values(), ids=EDITS)
def test_an_edit_that_a_cluster_refuses_is_refused(tmp_path, name, spec, field):
    state = tmp_path / "state"
    things = chain_of_things()
    render(things, tmp_path, "--state", state)
    kept = (state / "state.yaml").read_bytes()
    file = tmp_path / "things.yaml"
    file.write_text(yaml.safe_dump_all(edited(things, name, **spec)))
    done = run("-f", file, "--state", state)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"default/{name}: spec.{field}: is immutable; keep it as it was" in done.stderr
    assert (state / "state.yaml").read_bytes() == kept


def test_an_immutable_field_is_not_edited_by_way_of_a_bad_one(tmp_path):
    """A cluster never stores the bad one; if it were kept, nothing could be compared with it afterwards."""
    state = tmp_path / "state"
    things = chain_of_things()
    first = secrets_of(render(things, tmp_path, "--state", state))
    kept = (state / "state.yaml").read_bytes()
    file = tmp_path / "things.yaml"
    for name, spec in (("pair", {"algorithm": "bogus"}), ("numbers", {"numBytes": -1}), ("root", {"algorithm": "RSA"})):
        file.write_text(yaml.safe_dump_all(edited(things, name, **spec)))
        done = run("-f", file, "--state", state)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"default/{name}: spec.{next(iter(spec))}: " in done.stderr
        assert (state / "state.yaml").read_bytes() == kept
    assert secrets_of(render(things, tmp_path, "--state", state)) == first


def rewrite_kept(state, name, change):
    """What the state has of the resource of that name, edited by hand, or left by an earlier release."""
    kept = list(yaml.safe_load_all((state / "state.yaml").read_text()))
    for one in kept:
        if one["metadata"]["name"] == name and one["kind"] != "Secret":
            change(one)
    (state / "state.yaml").write_text(yaml.safe_dump_all(kept))


# What is wrong with the kept spec, an edit, and the field that it must not change; None: it corrects the spec.
BAD_KEPT = {
    "another algorithm": ("pair", {"deletionPolicy": "bogus"}, {"algorithm": "ML-KEM-768"}, "algorithm"),
    "another number of bytes": ("numbers", {"deletionPolicy": "bogus"}, {"numBytes": 48}, "numBytes"),
    "another Secret": ("pair", {"deletionPolicy": "bogus"}, {"outputSecretName": "other"}, "outputSecretName"),
    "an algorithm that is none": ("pair", {"deletionPolicy": "bogus"}, {"algorithm": "bogus"}, "algorithm"),
    "no CA any more": ("root", {"durationDays": -1}, {"certType": "self-signed"}, "certType"),
    "bytes that were allowed": ("numbers", {"numBytes": 70000}, {"numBytes": 48}, "numBytes"),
    "another algorithm than was made": ("pair", {"algorithm": "bogus"}, {"algorithm": "ML-KEM-768"}, "algorithm"),
    "another Secret than was made": ("pair", {"outputSecretName": "-"}, {"outputSecretName": "other"}, "outputSecretName"),
    "the field at fault": ("pair", {"deletionPolicy": "bogus"}, {}, None),
    "another field at fault": ("root", {"durationDays": -1}, {"durationDays": 200}, None),
    "other spellings": ("numbers", {"deletionPolicy": "bogus"}, {"bytes": 32, "provider": "system"}, None),
    "the algorithm that was made": ("pair", {"algorithm": "bogus"}, {"algorithm": "ML-KEM-512"}, None),
    "the Secret's default name": ("pair", {"deletionPolicy": "bogus"}, {"outputSecretName": "pair"}, None),
    "the Secret that was made": ("pair", {"outputSecretName": "-"}, {}, None),
}


@pytest.mark.parametrize(("name", "fault", "spec", "field"), BAD_KEPT.values(), ids=BAD_KEPT)
def test_a_kept_spec_that_is_bad_lets_no_key_be_replaced(tmp_path, name, fault, spec, field):
    state = tmp_path / "state"
    things = chain_of_things()
    first = secrets_of(render(things, tmp_path, "--state", state))
    rewrite_kept(state, name, lambda one: one.setdefault("spec", {}).update(fault))
    kept = (state / "state.yaml").read_bytes()
    file = tmp_path / "things.yaml"
    file.write_text(yaml.safe_dump_all(edited(things, name, **spec)))
    done = run("-f", file, "--state", state)
    if field is not None:
        assert (done.returncode, done.stdout) == (2, "")
        assert f"default/{name}: spec.{field}: is immutable; keep it as it was" in done.stderr
        assert f"spec.{next(iter(fault))}: " in done.stderr
        assert (state / "state.yaml").read_bytes() == kept
        return
    assert done.returncode == 0, done.stderr
    second = secrets_of(parse(done.stdout))
    assert {one for one in first if first[one] != second[one]} <= {"root-secret", "leaf-secret"}
    assert first["root-secret"]["tls.key"] == second["root-secret"]["tls.key"]


def test_a_kept_spec_that_is_bad_and_stays_as_it_is_costs_nothing(tmp_path):
    state = tmp_path / "state"
    pair = thing(QKKP, "default", "pair", {"algorithm": "ML-KEM-512"})
    first = secrets_of(render([pair], tmp_path, "--state", state))
    rewrite_kept(state, "pair", lambda one: one["spec"].update(deletionPolicy="bogus"))
    second = render(edited([pair], "pair", deletionPolicy="bogus"), tmp_path, "--state", state, status=1)
    assert ready_of(second[QKKP, "pair"])["reason"] == "InvalidSpec"
    assert secrets_of(second) == first
    file = tmp_path / "things.yaml"
    file.write_text(yaml.safe_dump(edited([pair], "pair", algorithm="ML-KEM-768")[0]))
    done = run("-f", file, "--state", state)
    assert done.returncode == 2 and "spec.algorithm: is immutable" in done.stderr
    assert secrets_of(render([pair], tmp_path, "--state", state)) == first


def with_uid(one, uid):
    return {**one, "metadata": {**one["metadata"], "uid": uid}}


def test_a_uid_of_what_is_kept_is_of_no_other_object(tmp_path):
    """Two owners of one Secret would write it in turn."""
    state = tmp_path / "state"
    pair = thing(QKKP, "default", "pair", {"algorithm": "ML-KEM-512"})
    first = render([pair], tmp_path, "--state", state)
    kept = (state / "state.yaml").read_bytes()
    uids = {one["kind"]: one["metadata"]["uid"] for one in yaml.safe_load_all(kept)}
    file = tmp_path / "things.yaml"
    for given, uid, owner in (
        (thing(QKKP, "default", "copy", {"algorithm": "ML-KEM-512"}), QKKP, f"{QKKP} default/pair"),
        (thing(QRN, "default", "pair"), QKKP, f"{QKKP} default/pair"),
        (thing(QRN, "default", "numbers"), "Secret", "Secret default/pair"),
        (secret_thing("default", "copy", {"k": b"mine"}), "Secret", "Secret default/pair"),
        (secret_thing("elsewhere", "pair", {"k": b"mine"}), QKKP, f"{QKKP} default/pair"),
        (config_map_thing("default", "note", {"k": "mine"}), "Secret", "Secret default/pair"),
    ):
        for things in ([pair, with_uid(given, uids[uid])], [with_uid(given, uids[uid]), thing(QRN, "default", "more")]):
            file.write_text(yaml.safe_dump_all(things))
            done = run("-f", file, "--state", state)
            assert (done.returncode, done.stdout) == (2, ""), done.stderr
            name = f"{given['metadata']['namespace']}/{given['metadata']['name']}"
            assert f"{given['kind']} {name}: metadata.uid {uids[uid]} is that of {owner}, too" in done.stderr
            assert (state / "state.yaml").read_bytes() == kept
    # Its own is, and one that it has in a cluster is none of anybody's.
    for uid in (uids[QKKP], "00000000-0000-4000-8000-0123456789ab"):
        assert render([with_uid(pair, uid)], tmp_path, "--state", state) == first
        assert (state / "state.yaml").read_bytes() == kept


def test_a_state_with_two_objects_of_one_uid_is_left_alone(tmp_path):
    state = tmp_path / "state"
    things = [thing(QRN, "default", "one"), thing(QRN, "default", "two")]
    render(things, tmp_path, "--state", state)
    rewrite_kept(state, "two", lambda two: rewrite_kept(state, "one", lambda one: two["metadata"].update(uid=one["metadata"]["uid"])))
    kept = (state / "state.yaml").read_bytes()
    done = run("-f", tmp_path / "things.yaml", "--state", state)
    assert (done.returncode, done.stdout) == (2, "")
    assert "metadata.uid" in done.stderr and f"is that of {QRN} default/one, too" in done.stderr
    assert (state / "state.yaml").read_bytes() == kept


def test_a_mistake_that_is_taken_back_is_forgotten(tmp_path):
    state = tmp_path / "state"
    wrong = thing(QES, "default", "wrong", {"publicKeyRef": {"name": "nowhere"}})
    bad = thing(QRN, "default", "bad", {"numBytes": 0})
    first = render([*chain_of_things(), wrong, bad], tmp_path, "--state", state, status=1)
    second = render(chain_of_things(), tmp_path, "--state", state)
    assert secrets_of(second) == secrets_of(first)
    assert (QES, "wrong") not in second and (QRN, "bad") not in second
    assert (QRN, "bad") in render([{**bad, "spec": {"numBytes": 16}}], tmp_path, "--state", state)


def test_every_text_is_kept_as_it_is(tmp_path):
    """Those that YAML folds, or does not take, too: what was signed is verified by the next run."""
    state = tmp_path / "state"
    message = "a\u0085b\u2028c\x7f\u0080\ufffe\U0001f600 \r\n\t\"\\"
    things = [
        thing(QSKP, "default", "signer", {"algorithm": "ML-DSA-44"}),
        config_map_thing("default", "note", {"message": message}),
        thing(QSM, "default", "signed", {"privateKeyRef": {"name": "signer"}, "messageRef": {"kind": "ConfigMap", "name": "note"}}),
    ]
    first = secrets_of(render(things, tmp_path, "--state", state))
    verify = thing(QVS, "default", "verified", {
        "publicKeyRef": {"name": "signer"}, "messageRef": {"kind": "ConfigMap", "name": "note"}, "signatureRef": {"name": "signed"},
    })  # fmt: skip
    second = render([verify], tmp_path, "--state", state)
    assert second[QVS, "verified"]["status"]["status"] == "Valid"
    assert secrets_of(second) == first


def test_wrapped_base64_is_read(tmp_path):
    secret = base64.encodebytes(bytes(range(256))).decode()
    assert "\n" in secret.strip()
    things = [
        {**secret_thing("default", "s", {}), "data": {"k": secret}},
        thing(QDK, "default", "key", {"sharedSecretRef": {"kind": "Secret", "name": "s", "key": "k"}}),
    ]
    assert len(data(render(things, tmp_path), "key")["key"]) == 32


def test_what_a_broken_run_has_left_is_replaced(tmp_path):
    state = tmp_path / "state"
    (state / "default" / "numbers").mkdir(parents=True)
    for left in (state / "..new", state / "default" / "numbers" / "..new"):
        left.write_text("left")
    file = tmp_path / "things.yaml"
    file.write_text(yaml.safe_dump(thing(QRN, "default", "numbers")))
    assert run("-f", file, "--state", state, "--output", "dir").returncode == 0
    assert not list(state.rglob("..new"))


def test_the_files_of_versions_go_with_them(tmp_path):
    state = tmp_path / "state"
    file = tmp_path / "things.yaml"
    pair = thing(QKKP, "default", "pair", {"outputSecretName": "keys", "rotation": {"every": "24h", "publishAhead": "2h"}})
    file.write_text(yaml.safe_dump_all([pair, thing(QRN, "default", "numbers")]))
    folder = state / "default" / "keys"
    for days in (0, 0.95, 1.1, 2.05, 2.2):  # made, published, in use, published, in use
        done = run("-f", file, "--state", state, "--output", "dir", days=days)
        assert done.returncode == 0, done.stderr
        found = parse((state / "state.yaml").read_text())
        assert {one.name for one in folder.iterdir()} - {"foreign.1", "private_key.next"} == {*found["Secret", "keys"]["data"]}
        (folder / "foreign.1").write_text("not ours")
        (folder / "private_key.next").write_text("nor is this")
    assert found[QKKP, "pair"]["status"]["version"] == 3
    assert (folder / "private_key.2").exists() and not (folder / "private_key.1").exists()
    assert (folder / "foreign.1").read_text() == "not ours"


def test_a_folder_that_others_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o777)
    done = run("-f", SAMPLE, "--state", tmp_path)
    assert done.returncode == 1 and "others may write to it" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_state_of_somebody_else_is_refused(tmp_path):
    for folder, owner in ((tmp_path / "own", None), (tmp_path / "others", 65534)):
        folder.mkdir(mode=0o700)
        if owner is not None:
            os.chown(folder, owner, -1)
        done = run("-f", SAMPLE, "--state", folder)
        assert (done.returncode, "belongs to user" in done.stderr) == ((0, False) if owner is None else (1, True))


def test_a_state_that_is_a_link_is_refused(tmp_path):
    """Where what it points to is away, an empty state would mean new keys; and a link is lost when it is replaced."""
    target = tmp_path / "elsewhere.yaml"
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "state.yaml").symlink_to(target)
    for _ in range(2):
        done = run("-f", SAMPLE, "--state", state)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{state}/state.yaml: it must be a regular file" in done.stderr
        assert (state / "state.yaml").is_symlink()
        target.write_text("kind: Secret\n")


def test_a_made_secret_among_the_files_changes_nothing(tmp_path):
    """With its marks and without them; nor does it come in by a second way in a later run."""
    state = tmp_path / "state"
    pair = thing(QKKP, "default", "pair", {"algorithm": "ML-KEM-512"})
    first = render([pair], tmp_path, "--state", state)
    kept = (state / "state.yaml").read_bytes()
    bare = {**first["Secret", "pair"], "metadata": {"name": "pair", "namespace": "default"}}
    for given in (first["Secret", "pair"], bare):
        assert render([pair, given], tmp_path, "--state", state) == first
        assert (state / "state.yaml").read_bytes() == kept
    file = tmp_path / "other.yaml"
    file.write_text(yaml.safe_dump_all([pair, {**bare, "data": {}, "stringData": {"x": "y"}}]))
    assert run("-f", file, "--state", state).returncode == 2
    assert (state / "state.yaml").read_bytes() == kept


def test_what_was_rendered_is_taken_over_by_a_state(tmp_path):
    made = tmp_path / "made.yaml"
    made.write_text(run("-f", SAMPLE).stdout)
    state = tmp_path / "state"
    done = [run("-f", made, "--state", state) for _ in range(2)]
    assert [one.returncode for one in done] == [0, 0]
    assert done[0].stdout == done[1].stdout
    taken, given = secrets_of(parse(done[0].stdout)), secrets_of(parse(made.read_text()))
    assert taken["workflow-kem"]["private_key.pem"] == given["workflow-kem"]["private_key.pem"]


def test_a_secret_of_the_files_that_only_claims_to_be_made_can_change(tmp_path):
    state = tmp_path / "state"
    secret = secret_thing("default", "given", {"k": b"one" * 16})
    secret["metadata"]["annotations"] = {"qubesec.io/owner": f"{QRN}/elsewhere"}
    key = thing(QDK, "default", "key", {"sharedSecretRef": {"kind": "Secret", "name": "given", "key": "k"}})
    first = secrets_of(render([secret, key], tmp_path, "--state", state))
    secret["data"]["k"] = base64.b64encode(b"two" * 16).decode()
    assert secrets_of(render([secret, key], tmp_path, "--state", state)) != first


def test_null_is_an_empty_text(tmp_path):
    """In data, stringData, labels and annotations, as an API server has it."""
    state = tmp_path / "state"
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "labels": {"a": None}, "annotations": {"b": None}, "ownerReferences": None},
        "data": {"c": None, "d": base64.b64encode(b"one" * 16).decode(), "e": "b25l"}, "stringData": {"e": None, "f": None}, "type": None,
    }  # fmt: skip
    note = {**config_map_thing("default", "note", {"c": None, "d": "text"}), "binaryData": {"e": None}, "immutable": None}
    key = thing(QDK, "default", "key", {"sharedSecretRef": {"kind": "Secret", "name": "s", "key": "d"}})
    key["metadata"] |= {"labels": {"a": None}, "annotations": None}
    key["status"] = None
    assert render([secret, note, key], tmp_path, "--state", state)[QDK, "key"]["metadata"]["labels"] == {"a": ""}
    kept = {one["metadata"]["name"]: one for one in yaml.safe_load_all((state / "state.yaml").read_text())}
    assert kept["s"]["data"] == {"c": "", "d": secret["data"]["d"], "e": "", "f": ""}
    assert (kept["s"]["metadata"]["labels"], kept["s"]["metadata"]["annotations"]) == ({"a": ""}, {"b": ""})
    assert (kept["note"]["data"], kept["note"]["binaryData"]) == ({"c": "", "d": "text"}, {"e": ""})


@pytest.mark.parametrize("divided_by", ["\n", "", "\n---\n"], ids=["lines", "nothing", "dashes"])
def test_json_documents_follow_each_other(divided_by):
    """As jq -c prints them, and kubectl takes them; with what is a bracket only outside of a text."""
    texts = {"example.com/brackets": '}\\"{]\n', "example.com/pair": "\U0001f600"}
    things = [thing(QRN, "default", name, annotations=texts) for name in ("one", "two", "three")]
    done = run("-f", "-", text=divided_by.join(json.dumps(one) for one in things))
    assert done.returncode == 0, done.stderr
    rendered = parse(done.stdout)
    assert [rendered[QRN, name]["metadata"]["annotations"] for name in ("one", "two", "three")] == [texts] * 3


def test_a_list_in_a_list_is_read(tmp_path):
    inner = {"apiVersion": "qubesec.io/v1", "kind": f"{QRN}List", "metadata": {}, "items": [thing(QRN, "default", "inner")]}
    empty = {"apiVersion": "v1", "kind": "List", "items": None}
    listed = {"apiVersion": "v1", "kind": "List", "items": [thing(QRN, "default", "outer"), {**empty, "items": [inner]}, empty]}
    things = [listed, empty, {"apiVersion": "v1", "kind": "List"}]
    done = run("-f", "-", text=yaml.safe_dump_all(things))
    assert (done.returncode, done.stderr) == (0, "")
    assert {(QRN, "inner"), (QRN, "outer")} <= set(parse(done.stdout))


def test_json_is_read_with_all_its_escapes(tmp_path):
    certificate = thing(QC, "default", "root", {"certType": "ca", "commonName": "\U0001f600", "algorithm": "ML-DSA-44"})
    text = json.dumps(certificate)
    assert "\\ud83d" in text
    done = run("-f", "-", text=text)
    assert done.returncode == 0, done.stderr
    assert parse(done.stdout)[QC, "root"]["spec"] == certificate["spec"]


def test_no_given_secret_takes_the_place_of_a_made_one(tmp_path):
    state = tmp_path / "state"
    pair = thing(QKKP, "default", "pair", {"algorithm": "ML-KEM-512"})
    first = render([pair], tmp_path, "--state", state)
    kept = (state / "state.yaml").read_bytes()
    file = tmp_path / "other.yaml"
    for given in (secret_thing("default", "pair", {"private_key": b"mine"}), {**first["Secret", "pair"], "data": {}}):
        file.write_text(yaml.safe_dump_all([pair, given]))
        done = run("-f", file, "--state", state)
        assert (done.returncode, done.stdout) == (2, "")
        assert "keeps another Secret of this name" in done.stderr and "Secret default/pair" in done.stderr
        assert (state / "state.yaml").read_bytes() == kept
    assert secrets_of(render([pair, first["Secret", "pair"]], tmp_path, "--state", state)) == secrets_of(first)
    # In one run with nothing kept it is in the way, as in a cluster.
    rendered = render([pair, secret_thing("default", "pair", {"a": b"mine"})], tmp_path, status=1)
    assert ready_of(rendered[QKKP, "pair"])["reason"] == "SecretConflict"


def test_a_trust_bundle_is_rendered(tmp_path):
    def bundles(rendered):
        return {name: found["data"]["ca.crt"].encode() for (kind, name), found in rendered.items() if kind == "ConfigMap"}

    state = tmp_path / "state"
    root = thing(QC, "default", "root", {"certType": "ca", "commonName": "Root", "trustBundle": {"configMapName": "roots"}})
    first = render([root], tmp_path, "--state", state)
    assert render([root], tmp_path, "--state", state, "--output", "dir") == {}
    certificate = data(first, "root-secret")["ca.crt"]
    assert bundles(first) == {"roots": certificate}
    made = first["ConfigMap", "roots"]["metadata"]
    assert made["labels"] == {"app.kubernetes.io/managed-by": "qubesec"} and "uid" not in made
    assert not (state / "default" / "roots").exists()  # nobody needs files of what lies beside it
    assert bundles(render([root, first["ConfigMap", "roots"]], tmp_path, "--state", state)) == {"roots": certificate}
    root["spec"]["trustBundle"]["configMapName"] = "others"
    assert bundles(render([root], tmp_path, "--state", state)) == {"others": certificate}
    del root["spec"]["trustBundle"]
    assert bundles(render([root], tmp_path, "--state", state)) == {}
    theirs = config_map_thing("default", "roots", {"ca.crt": "mine"})
    root["spec"]["trustBundle"] = {"configMapName": "roots"}
    file = tmp_path / "both.yaml"
    file.write_text(yaml.safe_dump_all([root, theirs]))
    done = run("-f", file, "--state", state)
    assert done.returncode == 0 and "TrustBundleConflict: ConfigMap roots is not QubeSec's" in done.stderr
    assert ("ConfigMap", "roots") not in parse(done.stdout)


def test_entries_become_files_of_their_owner_alone(tmp_path):
    state = tmp_path / "out" / "of" / "nothing"
    file = tmp_path / "things.yaml"
    file.write_text(yaml.safe_dump_all(chain_of_things()))
    old = os.umask(0)
    try:
        done = run("-f", file, "--state", state, "--output", "dir")
    finally:
        os.umask(old)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    kept = [one for one in yaml.safe_load_all((state / "state.yaml").read_text()) if one["kind"] == "Secret"]
    wanted = {f"default/{one['metadata']['name']}/{key}": value for one in kept for key, value in data_of(one).items()}
    files = {path for path in state.rglob("*") if path.is_file()}
    assert {str(path.relative_to(state)): path.read_bytes() for path in files if path.name != "state.yaml"} == wanted
    assert "default/leaf-secret/tls.key" in wanted
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (state, *state.rglob("*")) if path.is_dir()} == {0o700}


def test_a_state_is_of_one_run_at_a_time(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    folder = os.open(state, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        done = run("-f", SAMPLE, "--state", state)
    finally:
        os.close(folder)
    assert done.returncode == 1 and "another run is using it" in done.stderr
    assert run("-f", SAMPLE, "--state", state).returncode == 0


def test_a_state_that_cannot_be_read_is_left_alone(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    uid = "metadata: {name: x, namespace: ../y, uid: u, resourceVersion: '1'}"
    version = "metadata: {name: x, namespace: y, uid: u, resourceVersion: x}"
    for content in ("a: [", "kind: Deployment\n", "- 1\n", "", f"kind: Secret\n{version}\n", f"kind: Secret\n{uid}\n"):
        (state / "state.yaml").write_text(content)
        done = run("-f", SAMPLE, "--state", state)
        assert done.returncode == 2 and str(state) in done.stderr, done.stderr
        assert (state / "state.yaml").read_text() == content


# ---- what is wrong


def test_what_is_not_ready_is_told(tmp_path):
    things = [
        thing(QRN, "default", "good"),
        thing(QES, "default", "waits", {"publicKeyRef": {"name": "nowhere"}}),
        thing(QRN, "default", "bad", {"numBytes": 0}),
        thing(QRN, "default", "fetched", {"seedURI": "https://example.com/seed"}),
    ]
    file = tmp_path / "things.yaml"
    file.write_text(yaml.safe_dump_all(things))
    done = run("-f", file)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 3, lines
    assert f"{QES} default/waits is not Ready: WaitingForQuantumKEMKeyPair: spec.publicKeyRef: waiting for" in done.stderr
    assert f"{QRN} default/bad is not Ready: InvalidSpec: spec.numBytes: 0" in done.stderr
    assert f"{QRN} default/fetched is not Ready: InvalidSpec: spec.seedURI: https://example.com/seed is refused" in done.stderr
    assert ("Secret", "good") in parse(done.stdout)


def test_what_is_of_no_use_is_skipped_and_told():
    numbers = yaml.safe_dump(thing(QRN, "default", "x"))
    done = run("-f", "-", text=f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: x}}\n---\n---\n{numbers}")
    assert done.returncode == 0 and (QRN, "x") in parse(done.stdout)
    assert done.stderr == "qubesec render: Namespace x is skipped: QubeSec makes nothing of it\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "-: YAML, line 2: did not find"),
        ("a: 1\na: 2\n", "line 2: the same key comes twice"),
        ("a: 1\n", "-, document 1: it has no apiVersion and kind, so it is no manifest"),
        ("---\n- 1\n", "document 1: it has no apiVersion and kind"),
        ("apiVersion: v1\nkind: Secret\n", "metadata.name of a Secret is missing"),
        ("apiVersion: qubesec.io/v1\nkind: QuantumKEMKeypair\nmetadata: {name: x}\n", "there is no kind QuantumKEMKeypair in qubesec.io/v1"),
        ("apiVersion: qubesec.io/v2\nkind: QuantumKEMKeyPair\nmetadata: {name: x}\n", "there is no kind QuantumKEMKeyPair in qubesec.io/v2"),
        (yaml.safe_dump_all([thing(QRN, "default", "x")] * 2), "document 2: QuantumRandomNumber default/x is among the files twice"),
        (yaml.safe_dump(thing(QRN, "default", "x", {"numByte": 1})), 'QuantumRandomNumber default/x: unknown field "spec.numByte"'),
        (yaml.safe_dump(thing(QES, "default", "x", {"publicKeyRef": {"nam": "a"}})), 'unknown field "spec.publicKeyRef.nam"'),
        (yaml.safe_dump(thing(QRN, "default", "x", {"secretTemplate": {"lables": {}}})), 'unknown field "spec.secretTemplate.lables"'),
        (yaml.safe_dump({**thing(QRN, "default", "x"), "sepc": {"numBytes": 64}}), 'QuantumRandomNumber default/x: unknown field "sepc"'),
        ("apiVersion: qubesec.io/v1\nkind: QuantumRandomNumber\nmetadata: {name: x, lables: {}}\n", 'unknown field "metadata.lables"'),
        ("apiVersion: qubesec.io/v1\nkind: QuantumRandomNumber\nmetadata: {name: x, labels: [1]}\n", "metadata.labels must be an object"),
        ("apiVersion: qubesec.io/v1\nkind: QuantumRandomNumber\nmetadata: {name: x, annotations: {a: 1}}\n", "metadata.annotations.a must be a text"),
        ("apiVersion: qubesec.io\nkind: QuantumRandomNumber\nmetadata: {name: x}\n", "there is no kind QuantumRandomNumber in qubesec.io"),
        ("apiVersion: v1\nkind: QuantumRandomNumber\nmetadata: {name: x}\n", "there is no kind QuantumRandomNumber in v1"),
        (yaml.safe_dump_all([{**one, "metadata": {**one["metadata"], "uid": "u"}} for one in (thing(QRN, "default", "x"), thing(QRN, "default", "y"))]),
         "QuantumRandomNumber default/y: metadata.uid is that of another object"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata: [a]\n", "Secret default/x: data must be an object"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: 5\n", "stringData must be an object"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata: {x/y: aGk=}\n", 'Secret default/x: data: "x/y" is not the name of an entry'),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata: {..new: aGk=}\n", 'data: "..new" is not the name of an entry'),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata: {x: '!!'}\n", "Secret default/x: data.x: "),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {x: 1}\n", "ConfigMap default/x: data.x must be a text"),
        ("", "there is no resource of QubeSec's among the files"),
        ("apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n", "there is no resource of QubeSec's among the files"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: ../x}\n", '"../x" is not a DNS name'),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: x, namespace: ../y}\n", '"../y" is not the name of a namespace'),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {a: 1}\n", "stringData.a must be a text"),
        ("apiVersion: v1\nkind: List\nitems: [{}]\n", "items[0]: it has no apiVersion"),
        ("apiVersion: v1\nkind: List\nitems: [null]\n", "items[0]: it has no apiVersion"),
        ("apiVersion: v1\nkind: List\nitems: [{kind: List, items: [{kind: List}, {}]}]\n", "items[0]: items[1]: it has no apiVersion"),
        ("apiVersion: v1\nkind: List\nitems: {a: 1}\n", "items must be an array, not an object"),
        ('{"apiVersion":"v1","kind":"List"}\n---\n{"kind":"List"}\n---\n{a: 1}\n', "document 3: it has no apiVersion and kind"),
        ('{"apiVersion":"v1","kind":"List"}\n---\n{"kind":"List"}\n---\na: 1\n', "document 3: it has no apiVersion and kind"),
        ('{"apiVersion":"v1","kind":"List"}\n---\n{"kind":"List"}\n---\na: [\n', "-: YAML, line 6: "),
        ('---\n{"a": 1}\n---\n', "document 1: it has no apiVersion and kind"),
        ('{"apiVersion":"v1","kind":"List"}\n{"a":1', "document 2: not JSON at byte"),
        ('{"apiVersion":"v1","kind":"List"}{"a":1,"a":2}', 'document 2: JSON has the key "a" twice'),
        ('{"apiVersion":"v1","kind":"List"}{"apiVersion":"v1","kind":"List"}}', "document 3: not JSON at byte 0"),
        ('{"apiVersion":"v1","kind":"List"}\n{"a":1}', "-, document 2: it has no apiVersion and kind"),
    ],
)
def test_what_is_no_manifest_is_refused(text, message):
    done = run("-f", "-", text=text)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


# What an object has besides a name, and what is said of it.
BAD_MEMBERS = [
    ("Secret", "type: 5", "type must be a text, not 5"),
    ("Secret", "immutable: foo", 'immutable must be true or false, not the text "foo"'),
    ("ConfigMap", "immutable: 1", "immutable must be true or false, not 1"),
    (QRN, "status: foo", 'status must be an object, not the text "foo"'),
    (QRN, "status: []", "status must be an object, not an array"),
    (QRN, "metadata: {ownerReferences: foo}", 'metadata.ownerReferences must be an array, not the text "foo"'),
    (QRN, "metadata: {ownerReferences: [foo]}", 'metadata.ownerReferences[0] must be an object, not the text "foo"'),
    (QRN, "metadata: {ownerReferences: [{apiVersion: v1, kind: A, name: a}]}", "metadata.ownerReferences[0].uid is missing"),
    (QRN, "metadata: {ownerReferences: [{apiVersion: v1, kind: A, name: a, uid: 1}]}", "metadata.ownerReferences[0].uid must be a text, not 1"),
    (QRN, "metadata: {ownerReferences: [{apiVersion: v1, kind: A, name: a, uid: u, controller: 1}]}",
     "metadata.ownerReferences[0].controller must be true or false, not 1"),
    (QRN, "metadata: {ownerReferences: [{apiVersion: v1, kind: A, name: a, uid: u, owner: 1}]}", 'unknown field "metadata.ownerReferences[0].owner"'),
    (QRN, "metadata: {finalizers: [1]}", "metadata.finalizers[0] must be a text, not 1"),
    (QRN, "metadata: {managedFields: [1]}", "metadata.managedFields[0] must be an object, not 1"),
    (QRN, "metadata: {generation: foo}", 'metadata.generation must be an integer, not the text "foo"'),
    (QRN, "metadata: {uid: 5}", "metadata.uid must be a text, not 5"),
    (QRN, 'metadata: {uid: "u\\0v"}', "metadata.uid must be a text without U+0000"),
    (QRN, "metadata: {creationTimestamp: 5}", "metadata.creationTimestamp must be a text, not 5"),
    (QRN, "metadata: {labels: {-a: b}}", 'metadata.labels: "-a" is not a key: NAME or PREFIX/NAME'),
    (QRN, "metadata: {labels: {a/b/c: d}}", 'metadata.labels: "a/b/c" is not a key'),
    (QRN, "metadata: {labels: {A.example/b: c}}", 'metadata.labels: "A.example/b" is not a key'),
    (QRN, 'metadata: {labels: {"a\\0b": c}}', 'metadata.labels: "a\\u0000b" is not a key'),
    (QRN, "metadata: {labels: {a: b c}}", 'metadata.labels.a: "b c" is not the value of a label'),
    (QRN, 'metadata: {labels: {a: "b\\0c"}}', 'metadata.labels.a: "b\\u0000c" is not the value of a label'),
    (QRN, f"metadata: {{labels: {{a: {'b' * 64}}}}}", f'metadata.labels.a: "{'b' * 64}" is not the value of a label: at most 63 letters'),
    (QRN, "metadata: {annotations: {a b: c}}", 'metadata.annotations: "a b" is not a key'),
    (QRN, 'metadata: {"annotations\\0x": {}}', 'unknown field "metadata.annotations\\u0000x"'),
    (QRN, 'spec: {"numBytes\\0x": 1}', 'unknown field "spec.numBytes\\u0000x"'),
    (QES, 'spec: {publicKeyRef: {"name\\0x": a}}', 'unknown field "spec.publicKeyRef.name\\u0000x"'),
    (QC, 'spec: {privateKey: {"rotationPolicy\\0x": a}}', 'unknown field "spec.privateKey.rotationPolicy\\u0000x"'),
    ("Secret", 'data: {a: aGk=, "a\\0b": aG8=}', 'data: "a\\u0000b" is not the name of an entry'),
    ("Secret", 'stringData: {a: hi, "a\\0b": ho}', 'stringData: "a\\u0000b" is not the name of an entry'),
    ("Secret", "stringData: {a/b: hi}", 'stringData: "a/b" is not the name of an entry'),
    ("ConfigMap", 'binaryData: {"a\\0b": aG8=}', 'binaryData: "a\\u0000b" is not the name of an entry'),
    ("ConfigMap", 'data: {"a\\0b": hi}', 'data: "a\\u0000b" is not the name of an entry'),
    ("Secret", 'data: {a: "aGk=\\n\\0aGk="}', "data.a: "),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "member", "message"), BAD_MEMBERS, ids=[member for _, member, _ in BAD_MEMBERS])
def test_a_member_that_an_api_server_refuses_is_refused(tmp_path, kind, member, message):
    state = tmp_path / "state"
    one = thing(kind, "default", "x")
    one["apiVersion"] = one["apiVersion"] if kind.startswith("Quantum") else "v1"
    given = yaml.safe_load(member)
    one = {**one, **given, "metadata": {**one["metadata"], **given.get("metadata", {})}}
    done = run("-f", "-", "--state", state, text=yaml.safe_dump_all([thing(QRN, "default", "y"), one]))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"-, document 2: {kind} default/x: {message}" in done.stderr
    assert not (state / "state.yaml").exists()


def test_labels_and_annotations_of_every_form_are_taken(tmp_path):
    labels = {"a": "", "A_b.c-d": "x" * 63, "qubesec.io/x": "1.0_a-B", f"{'a.' * 126}a/{'n' * 63}": "x"}
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{\n}", "Example.com/A": "a b\u0000", "b": ""}
    one = thing(QRN, "default", "x")
    one["metadata"] |= {"labels": labels, "annotations": annotations}
    found = render([one], tmp_path)[QRN, "x"]["metadata"]
    assert (found["labels"], found["annotations"]) == (labels, annotations)


def test_an_entry_of_the_state_that_no_file_can_have_is_not_cut(tmp_path):
    state = tmp_path / "state"
    file = tmp_path / "things.yaml"
    file.write_text(yaml.safe_dump(thing(QRN, "default", "x")))
    assert run("-f", file, "--state", state, "--output", "dir").returncode == 0
    made = (state / "default" / "x" / "random").read_bytes()
    kept = list(yaml.safe_load_all((state / "state.yaml").read_text()))
    for one in kept:
        if one["kind"] == "Secret":
            one["data"]["random\0x"] = "b3RoZXI="
    (state / "state.yaml").write_text(yaml.safe_dump_all(kept))
    done = run("-f", file, "--state", state, "--output", "dir")
    assert done.returncode == 1 and 'entry "random\\u0000x" of Secret default/x: that is no path of a file' in done.stderr
    assert (state / "default" / "x" / "random").read_bytes() == made


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--filename: is required"),
        (["-f", "nowhere.yaml"], "nowhere.yaml: No such file"),
        (["-f", SAMPLE, "--output", "json"], "--output: json is neither yaml nor dir"),
        (["-f", SAMPLE, "--output", "dir"], "dir needs --state"),
        (["-f", SAMPLE, "--state", "/dev/null/x"], "Not a directory"),
        (["-f", SAMPLE, "-n", "A"], '-n: "A" is not the name of a namespace'),
        (["-f", SAMPLE, "--state", ""], "--state: is empty"),
        (["--frobnicate"], "--frobnicate: no such flag"),
    ],
)
def test_a_wrong_call_says_what_is_allowed(arguments, message, tmp_path):
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == (1 if "Not a directory" in message else 2) and done.stdout == ""
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
    assert list(pathlib.Path(tmp_path).iterdir()) == []


def test_help_says_what_it_does():
    done = run("--help")
    assert done.returncode == 0 and "--state DIR" in done.stdout and "Exit status" in done.stdout


def test_no_key_is_on_standard_error(tmp_path):
    secret = base64.b64encode(os.urandom(32)).decode()
    text = yaml.safe_dump_all([thing(QDK, "default", "key", {"sharedSecretRef": {"kind": "Secret", "name": "s", "key": "other"}}),
                               {**secret_thing("default", "s", {}), "data": {"k": secret}}])  # fmt: skip
    done = run("-f", "-", text=text)
    assert done.returncode == 1 and secret not in done.stderr
