"""Good and bad specs of all kinds, and who must refuse which: the table behind test_agreement.py, besides the bad values
that follow from the tables of fields (tools/crd/bad_specs.c).

schema is the CRD with its CEL rules; validator is the operator's decoder, which the webhook and the reconcile share, so
that those two never differ. Both should know what both can state; what only one of them refuses says so, and why.
"""

from api import QC, QDK, QDS, QES, QKKP, QRN, QSKP, QSM, QVS

SCHEMA, VALIDATOR = "schema", "validator"
BOTH = frozenset({SCHEMA, VALIDATOR})
ONLY_SCHEMA = frozenset({SCHEMA})
ONLY_VALIDATOR = frozenset({VALIDATOR})  # it takes computing, or several fields, or more than CEL's budget

SEED_PREFIX = "https://127.0.0.1:1/"  # where nobody listens
SEED = "00" * 48
NAME_MAX = "x" * 253
SERVER = {"certType": "server", "parentCARef": {"name": "ca"}}
SIGN = {"privateKeyRef": {"name": "a"}, "messageRef": {"name": "m"}}
VERIFY = {"publicKeyRef": {"name": "a"}, "messageRef": {"name": "m"}, "signatureRef": {"name": "s"}}
OPEN = {"privateKeyRef": {"name": "a"}, "ciphertextRef": {"name": "b"}}

# Whose output has what cannot be made again: they have spec.onKeyLoss.
IRREPLACEABLE = (QRN, QKKP, QES, QSKP, QC)
MINIMAL = {
    QRN: {},
    QKKP: {},
    QES: {"publicKeyRef": {"name": "a"}},
    QDS: OPEN,
    QDK: {"sharedSecretRef": {"name": "a"}},
    QSKP: {},
    QSM: SIGN,
    QVS: VERIFY,
    QC: {"commonName": "example.com"},
}
KEM_NAMES = ("ML-KEM-512", "ML-KEM-768", "ML-KEM-1024", "Kyber512", "Kyber768", "Kyber1024")
SIGNATURE_NAMES = (
    "ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "Dilithium2", "CRYSTALS-Dilithium5", "SLH-DSA-SHA2-128f", "SPHINCS+-SHAKE-128f-simple",
)  # fmt: skip


def names(count):
    return [f"host-{i}.example.com" for i in range(count)]


GOOD = {
    **{f"least-{kind}": (kind, spec) for kind, spec in MINIMAL.items()},
    **{
        f"common-{kind}": (
            kind,
            {
                **spec,
                "outputSecretName": NAME_MAX,
                "deletionPolicy": "Retain",
                "secretTemplate": {"labels": {"app": "", "example.com/tier": "A_b.c-1"}, "annotations": {"a": "ü\n" * 500}},
            },
        )
        for kind, spec in MINIMAL.items()
        if kind != QVS
    },
    **{
        f"onKeyLoss-{reaction}-{kind}": (kind, {**MINIMAL[kind], "onKeyLoss": reaction})
        for kind in IRREPLACEABLE
        for reaction in ("Recreate", "Fail")
    },
    # A field that the kind does not have is dropped.
    **{f"onKeyLoss-unknown-{kind}": (kind, {**MINIMAL[kind], "onKeyLoss": "Restore"}) for kind in MINIMAL if kind not in IRREPLACEABLE},
    **{f"references-{kind}": (kind, spec) for kind, spec in {
        QES: {"publicKeyRef": {"name": "a", "namespace": "", "kind": "ConfigMap", "key": "k.pem"}},
        QDS: {"privateKeyRef": {"name": "a", "kind": "QuantumKEMKeyPair"}, "ciphertextRef": {"name": "b", "kind": "Secret", "key": "c"}},
        QDK: {"sharedSecretRef": {"name": "a", "kind": "Secret", "key": "k"}},
        QSM: {**SIGN, "messageRef": {"name": "m", "kind": "ConfigMap", "key": "k"}, "messageKey": "k"},
        QVS: {**VERIFY, "publicKeyRef": {"name": "a", "kind": "QuantumCertificate"}, "signatureRef": {"name": "s", "kind": "Secret"},
              "signatureKey": "sig"},
        QC: {**SERVER, "subjectAltNames": ["a.example.com"], "parentCARef": {"name": NAME_MAX, "kind": "QuantumCertificate"}},
    }.items()},
    **{f"rotation-{what}": (kind, {**MINIMAL[kind], "rotation": rotation}) for what, kind, rotation in (
        ("on-request", QRN, {}),
        ("least", QKKP, {"every": "10m", "publishAhead": "1s", "keepFor": "1s"}),
        ("most", QSKP, {"every": "876000h", "keep": 16, "keepFor": "876000h"}),
        ("window", QES, {"every": "720h", "keep": 3, "keepFor": "24h", "publishAhead": "24h",
                         "window": {"schedule": "0 2 * * SAT", "timeZone": "Europe/Zurich", "duration": "168h"}}),
        ("window-by-name", QRN, {"every": "1h", "window": {"schedule": "@daily", "timeZone": "", "duration": "1m"}}),
    )},
    "rotation-room": (QRN, {"numBytes": 65536, "rotation": {"keep": 12}}),
    "numBytes-least": (QRN, {"numBytes": 1}),
    "numBytes-most": (QRN, {"numBytes": 65536}),
    "numBytes-twice": (QRN, {"numBytes": 48, "bytes": 48}),
    "provider-OpenSSL": (QRN, {"provider": "OpenSSL"}),
    "seed-least": (QRN, {"seed": "aA" * 48}),
    "seed-most": (QRN, {"seed": "09" * 96, "provider": "system"}),
    "seedURI": (QRN, {"seedURI": f"{SEED_PREFIX}seed"}),
    **{f"algorithm-{name}": (QKKP, {"algorithm": name}) for name in KEM_NAMES},
    **{f"algorithm-{name}": (QSKP, {"algorithm": name}) for name in SIGNATURE_NAMES},
    "algorithm-of-exchange": (QES, {**MINIMAL[QES], "algorithm": "Kyber1024"}),
    "algorithm-of-signing": (QSM, {**SIGN, "algorithm": "CRYSTALS-Dilithium3"}),
    **{
        f"ciphertext-{length}": (QDS, {"privateKeyRef": {"name": "a"}, "ciphertext": "0aF" * (2 * length // 3) + "0" * (2 * length % 3)})
        for length in (768, 1088, 1568)
    },
    "ciphertext-empty": (QDS, {**OPEN, "ciphertext": ""}),
    "keyType-length": (QDK, {**MINIMAL[QDK], "keyType": "AES-256", "keyLength": 32}),
    "keyType-HMAC": (QDK, {**MINIMAL[QDK], "keyType": "HMAC-SHA256", "keyLength": 20}),
    "salt-most": (QDK, {**MINIMAL[QDK], "salt": "0f" * 1024, "info": "i" * 1024}),
    "info-in-bytes": (QDK, {**MINIMAL[QDK], "info": "ü" * 512}),
    "infoHex": (QDK, {**MINIMAL[QDK], "infoHex": "F0", "algorithm": "HKDF-SHA256"}),
    "context-most": (QSM, {**SIGN, "context": "ü" * 127 + "c"}),
    "signatureKey": (QSM, {**SIGN, "signatureKey": "a-b_c.D1"}),
    "certificate-full": (
        QC,
        {
            "algorithm": "ML-DSA-87", "certType": "server", "parentCARef": {"name": "ca"}, "commonName": "Müller", "country": "DE",
            "state": "s" * 128, "locality": "l", "organization": "ü" * 64, "organizationalUnit": "u", "durationDays": 90,
            "duration": "2160h", "renewBefore": "33%", "usages": ["digital signature", "server auth"],
            "subjectAltNames": ["*.example.com", "10.0.0.1", "fd00::1", "a@example.com", "spiffe://example.com/x", "bücher.example"],
            "privateKey": {"rotationPolicy": "Always"},
        },
    ),
    "certificate-ca": (QC, {"certType": "ca", "organization": "o", "pathLen": 0, "usages": ["cert sign"], "durationDays": 36500}),
    "certificate-domain": (QC, {"domain": "a.example.com, b.example.com", "days": 1}),
    "certificate-names-most": (QC, {"subjectAltNames": names(100)}),
    "certificate-long-life": (QC, {"commonName": "x", "durationDays": 3650, "renewBefore": "720h"}),
    "certificate-client": (QC, {"certType": "client", "commonName": "c", "parentCARef": {"name": "ca"}}),
    "certificate-empty-parts": (QC, {"commonName": "x", "country": "", "state": ""}),
    "certificate-address-alone": (QC, {"subjectAltNames": ["192.0.2.1"]}),
    "certificate-long-name-alone": (QC, {"domain": "a" * 63 + ".example.com"}),
    "certificate-uri-by-prefix": (QC, {"commonName": "x", "subjectAltNames": ["URI:tel:112"]}),
    "certificate-ca-of-servers": (QC, {"certType": "ca", "commonName": "x", "usages": ["server auth"]}),
    "certificate-time-stamping": (QC, {"commonName": "x", "usages": ["timestamping", "content commitment"]}),
}  # fmt: skip

BAD = {
    # What all kinds share
    "secret-name-empty": (QKKP, {"outputSecretName": ""}, BOTH),
    "secret-name-dots": (QKKP, {"secretName": "a..b"}, BOTH),
    "label-key-long": (QKKP, {"secretTemplate": {"labels": {"k" * 64: "v"}}}, BOTH),
    "label-key-prefix": (QKKP, {"secretTemplate": {"labels": {"a..b/c": "v"}}}, ONLY_VALIDATOR),
    "annotation-key": (QKKP, {"secretTemplate": {"annotations": {"/a": "v"}}}, BOTH),
    # The spec itself
    **{f"spec-text-{kind}": (kind, "text", BOTH) for kind in MINIMAL},
    "spec-list": (QRN, [], BOTH),
    # Random numbers
    "seed-empty": (QRN, {"seed": ""}, BOTH),
    "seed-base64": (QRN, {"seed": "4vls+/8=" * 12}, BOTH),
    "seed-and-seedURI": (QRN, {"seed": SEED, "seedURI": SEED_PREFIX}, BOTH),
    "seed-and-provider": (QRN, {"seed": SEED, "provider": "OpenSSL"}, BOTH),
    "seedURI-empty": (QRN, {"seedURI": ""}, BOTH),
    "seedURI-scheme": (QRN, {"seedURI": "ftp://127.0.0.1/seed"}, ONLY_VALIDATOR),
    # Rotation
    **{
        f"rotation-{what}": (QKKP, {"rotation": rotation}, layers)
        for what, rotation, layers in (
            ("ahead", {"every": "1h", "publishAhead": "60m"}, BOTH),
            ("window-alone", {"window": {"schedule": "@daily", "duration": "1h"}}, BOTH),
            ("window-without-schedule", {"every": "1h", "window": {"duration": "1h"}}, BOTH),
            ("window-without-duration", {"every": "1h", "window": {"schedule": "@daily"}}, BOTH),
            ("minute-60", {"every": "1h", "window": {"schedule": "60 * * * *", "duration": "1h"}}, ONLY_VALIDATOR),
            ("zone-unknown", {"every": "1h", "window": {"schedule": "@daily", "timeZone": "Europe/Atlantis", "duration": "1h"}}, ONLY_VALIDATOR),
        )
    },
    "rotation-no-room": (QRN, {"numBytes": 65536, "rotation": {"keep": 13}}, ONLY_VALIDATOR),
    "rotation-of-a-seed": (QRN, {"seed": SEED, "rotation": {"every": "1h"}}, BOTH),
    "rotation-of-a-seedURI": (QRN, {"seedURI": f"{SEED_PREFIX}seed", "rotation": {"every": "1h"}}, BOTH),
    "rotation-ahead-of-random": (QRN, {"rotation": {"every": "1h", "publishAhead": "1m"}}, BOTH),
    # Algorithms
    "algorithm-case": (QKKP, {"algorithm": "ml-kem-768"}, BOTH),
    "algorithm-without-provider": (QSKP, {"algorithm": "Falcon512"}, ONLY_VALIDATOR),
    "algorithm-without-provider-certificate": (QC, {"commonName": "x", "algorithm": "Falcon-1024"}, ONLY_VALIDATOR),
    # Exchange and derivation
    "ciphertext-only-empty": (QDS, {"privateKeyRef": {"name": "a"}, "ciphertext": ""}, BOTH),
    "ciphertext-not-hex": (QDS, {"privateKeyRef": {"name": "a"}, "ciphertext": "xy" * 768}, BOTH),
    "ciphertext-length": (QDS, {"privateKeyRef": {"name": "a"}, "ciphertext": "00" * 767}, BOTH),
    "ciphertext-of-another": (
        QDS,
        {"privateKeyRef": {"name": "a"}, "ciphertext": "00" * 768, "algorithm": "ML-KEM-768"},
        ONLY_VALIDATOR,
    ),
    "keyType-AES-256-length": (QDK, {**MINIMAL[QDK], "keyType": "AES-256", "keyLength": 16}, BOTH),
    "keyType-ChaCha20-length": (QDK, {**MINIMAL[QDK], "keyType": "ChaCha20", "keyLength": 31}, BOTH),
    "info-long-in-bytes": (QDK, {**MINIMAL[QDK], "info": "ü" * 513}, BOTH),
    "infoHex": (QDK, {**MINIMAL[QDK], "infoHex": "0x00"}, BOTH),
    "info-and-infoHex": (QDK, {**MINIMAL[QDK], "info": "a", "infoHex": "61"}, BOTH),
    # Signatures
    "context-long-in-bytes": (QVS, {**VERIFY, "context": "ü" * 128}, BOTH),
    "signatureKey-metadata": (QSM, {**SIGN, "signatureKey": "metadata"}, BOTH),
    "signatureKey-empty": (QSM, {**SIGN, "signatureKey": ""}, BOTH),
    # Certificates
    **{
        f"certificate-{what}": (QC, {"commonName": "x", **spec}, layers)
        for what, spec, layers in (
            ("server-without-ca", {"certType": "server", "subjectAltNames": ["a.example.com"]}, BOTH),
            ("client-without-ca", {"certType": "client"}, BOTH),
            ("self-signed-with-ca", {"parentCARef": {"name": "ca"}}, BOTH),
            ("pathLen-of-leaf", {**SERVER, "commonName": "a.example.com", "pathLen": 1}, BOTH),
            ("durations-differ", {"duration": "1h", "durationDays": 2}, ONLY_VALIDATOR),
            ("renewBefore-100%", {"renewBefore": "100%"}, BOTH),
            ("renewBefore-0%", {"renewBefore": "0%"}, BOTH),
            ("renewBefore-too-early", {"duration": "10h", "renewBefore": "10h"}, ONLY_VALIDATOR),
            ("renewBefore-never", {"renewBefore": "0s"}, ONLY_VALIDATOR),
            ("commonName-control", {"commonName": "a\u0007b"}, ONLY_VALIDATOR),
            ("country", {"country": "DEU"}, BOTH),
            ("country-lower", {"country": "de"}, BOTH),
            ("organization-long", {"organization": "ü" * 65}, BOTH),
            ("organization-control", {"organization": "a\nb"}, ONLY_VALIDATOR),
            ("name-wildcard", {"subjectAltNames": ["a.*.example.com"]}, ONLY_VALIDATOR),
            ("name-spaces", {"subjectAltNames": ["a b.example.com"]}, ONLY_VALIDATOR),
            ("name-address", {"subjectAltNames": ["10.0.0.256"]}, ONLY_VALIDATOR),
            ("name-mail", {"subjectAltNames": ["@example.com"]}, ONLY_VALIDATOR),
            ("name-port", {"subjectAltNames": ["web:8443"]}, ONLY_VALIDATOR),
            ("name-prefix-length", {"subjectAltNames": ["fd00::/8"]}, ONLY_VALIDATOR),
            ("name-address-in-address", {"subjectAltNames": ["::ffff:192.0.2.1"]}, ONLY_VALIDATOR),
            ("domain-empty-name", {"domain": "a.example.com,,b.example.com"}, ONLY_VALIDATOR),
            ("server-without-name", {**SERVER, "commonName": "nobody in particular"}, ONLY_VALIDATOR),
            ("usage", {"usages": ["key encipherment"]}, BOTH),
            ("name-of-cert-manager", {"dnsNames": ["a.example.com"]}, BOTH),
            ("names-of-cert-manager", {"issuerRef": {"name": "a"}, "isCA": True, "privateKey": {"size": 2048}, "otherNames": [{}]}, BOTH),
            ("duration-in-days", {"duration": "90d"}, BOTH),
            ("usage-of-ca", {"usages": ["cert sign"]}, ONLY_VALIDATOR),
            ("usage-commitment-of-server", {**SERVER, "commonName": "a.example.com", "usages": ["content commitment"]}, ONLY_VALIDATOR),
            ("usage-stamping-and-more", {"usages": ["timestamping", "code signing"]}, ONLY_VALIDATOR),
            ("ca-without-usage", {"certType": "ca", "usages": ["digital signature"]}, ONLY_VALIDATOR),
            ("usage-twice", {"usages": ["server auth", "server auth"]}, ONLY_SCHEMA),  # twice is harmless: a set all the same
        )
    },
    "certificate-nameless": (QC, {}, ONLY_VALIDATOR),
    "certificate-nameless-ca": (QC, {"certType": "ca"}, ONLY_VALIDATOR),
}
