// What a credential plug-in answers: an ExecCredential.
#pragma once

#include "base/error.h"

#define EXEC_VERSION_BETA "client.authentication.k8s.io/v1beta1"

bool exec_version_is_known(const char *api_version);

// All owned, NULL where it has none. There is a token, or a certificate with its key, or all three.
struct exec_credential {
    char *token;
    char *certificate; // PEM, with its chain
    char *key;         // PEM
    bool expires;
    int64_t expires_at; // seconds since 1970
};

// Reads one of that API version. No message quotes any of it. Errors: INVALID_SPEC, NO_MEMORY.
[[nodiscard]] bool exec_credential_read(const char *answer, size_t length, const char *api_version,
                                        struct exec_credential *ret_credential, struct error *e);
void exec_credential_done(struct exec_credential *credential);
