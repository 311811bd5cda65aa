#include "kinds/kem_secret.h"

bool kem_secret_inspect(const struct algorithm *wanted, const struct secret_data *data,
                        const struct provenance *provenance, struct report *report,
                        const struct algorithm **ret_algorithm, struct error *e) {
    const struct algorithm *algorithm = algorithm_find(ALGORITHM_KEM, provenance->algorithm);
    const struct secret *shared_secret;
    if (algorithm == nullptr || (wanted != nullptr && wanted != algorithm)) {
        return error_set(e, ERROR_CRYPTO, "the Secret holds a shared secret of %s, not of %s",
                         provenance->algorithm, wanted == nullptr ? "a KEM" : wanted->name);
    }
    if (!secret_data_require_length(data, "shared_secret", algorithm->shared_secret_size, &shared_secret,
                                    e) ||
        !report_fingerprint(report, shared_secret, e)) {
        return false;
    }
    *ret_algorithm = algorithm;
    return true;
}
