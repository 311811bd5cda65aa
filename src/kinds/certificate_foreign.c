// The fields of cert-manager's Certificate that a QuantumCertificate says otherwise, or does not have.
#include "kinds/certificate_spec.h"

static const char names[] = "names of every form go into subjectAltNames";
static const char subject[] =
    "its parts stand in spec itself: commonName, organization, organizationalUnit, locality, state, country";
static const char algorithm[] = "spec.algorithm says both, such as ML-DSA-65; keys are in PKCS#8";

const struct foreign_field certificate_foreign_fields[] = {
    {"dnsNames", "texts", names},
    {"ipAddresses", "texts", names},
    {"uris", "texts", names},
    {"emailAddresses", "texts", names},
    {"otherNames", "objects", "names of other forms are not issued; remove it"},
    {"issuerRef", "object",
     "name a QuantumCertificate of certType ca by parentCARef, and set certType to server or client"},
    {"isCA", "boolean", "set certType to ca, or remove it"},
    {"subject", "object", subject},
    {"literalSubject", "text", subject},
    {"renewBeforePercentage", "integer", "write it as renewBefore, with a percent sign: 33%"},
    {"privateKey.algorithm", "text", algorithm},
    {"privateKey.size", "integer", algorithm},
    {"privateKey.encoding", "text", algorithm},
    {"signatureAlgorithm", "text", "it follows from the key that signs; remove it"},
    {"keystores", "object", "the Secret has PEM only; make a keystore from that, and remove it"},
    {"additionalOutputFormats", "objects",
     "the Secret has tls.crt, tls.key and ca.crt in PEM, and no other form; remove it"},
    {"nameConstraints", "object", "they are not issued; remove it"},
    {"encodeUsagesInRequest", "boolean", "there are no requests for certificates; remove it"},
    {"revisionHistoryLimit", "integer", "there are no requests for certificates; remove it"},
    {.name = nullptr},
};
