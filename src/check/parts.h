// Parts of the checks that ask nobody: they evaluate what was read.
#pragma once

#include "check/report.h"
#include "json/read.h"

enum { CHECK_KUBERNETES_MINOR_MIN = 31 }; // of Kubernetes 1: the first that serves selectable fields

// Reads the minor version of "v1.37.2", "v1.31.4-gke.100" or "v1.32.0+k3s1". False: not such a text, or
// another major version.
[[nodiscard]] bool check_parse_version(const char *git_version, unsigned *ret_minor);

// Whether an OpenSSL of that version, 3.5 or later, has the fix of CVE-2026-31789: 3.5.6, 3.6.2, and what
// came after them. tools/image/root.py builds no image without.
bool check_openssl_is_fixed(unsigned major, unsigned minor, unsigned patch);

// Whether a TLS group protects against a later quantum computer.
bool check_is_post_quantum(const char *tls_group);

// Of a certificate at the time now, all in seconds since 1970: FAIL outside of its dates, WARN in the last
// tenth of its life, which a renewal that works never lets come.
enum check_level check_evaluate_lifetime(int64_t not_before, int64_t not_after, int64_t now);

// Whether an object, as it is stored, was to be rotated so long ago that nothing comes of it by itself; now:
// in seconds since 1970.
bool check_is_rotation_overdue(yyjson_val *object, int64_t now);

// How the API server answered an object that should be refused.
enum check_refusal {
    CHECK_REFUSED,       // by the webhook
    CHECK_UNREACHABLE,   // it could not call the webhook
    CHECK_NOT_PERMITTED, // the user may not create such objects
    CHECK_OTHER_REFUSAL, // by somebody else
};
enum check_refusal check_read_refusal(const struct error *error, const char *webhook);

// The value of "--flag=value" or "--flag" "value" in a container's command or args, borrowed from it; NULL:
// the flag is not there.
const char *check_find_flag(yyjson_val *container, const char *flag);

// Specs of a QuantumCertificate for dry runs. The first passes the definition's schema and CEL rules, and has
// a fault all the same; the second has none.
extern const char check_invalid_spec[];
extern const char check_valid_spec[];

enum { CHECK_PROVIDER_SIZE = 64 };

// What an API server's metrics tell of Secrets on their way to and from etcd, since it was started.
struct check_storage {
    double encrypted_writes;
    double plain_writes;
    double encrypted_reads;
    double plain_reads;
    char provider[CHECK_PROVIDER_SIZE]; // that encrypts: "aescbc", "kms"; "": none
};

// Reads apiserver_storage_transformation_operations_total out of metrics in the text format.
struct check_storage check_read_storage(const char *metrics);

// What is known of the encryption of Secrets.
struct check_encryption_facts {
    size_t servers;    // kube-apiserver Pods that were seen
    size_t configured; // of them, those with --encryption-provider-config
    bool metrics_read;
    struct check_storage storage;
};

// Notes what the facts say, and no more; unseen: why the rest could not be seen, "" if nothing is hidden.
void check_evaluate_encryption(struct check_report *report, const struct check_encryption_facts *facts,
                               const char *unseen);
