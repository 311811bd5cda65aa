// What a credential plug-in answers: what is read of it can be used, and a refusal quotes none of it.
#include "fuzz.h"

#include "kube/exec_credential.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error e = {0};
    struct exec_credential credential = {.token = e.message};
    if (!exec_credential_read((const char *)data, size, EXEC_VERSION_BETA, &credential, &e)) {
        CHECK(credential.token == e.message);
        check_refusal(&e, ERROR_INVALID_SPEC);
        CHECK(strncmp(e.message, "its answer", 10) == 0);
        return 0;
    }
    CHECK((credential.certificate == nullptr) == (credential.key == nullptr));
    CHECK(credential.token != nullptr || credential.key != nullptr);
    exec_credential_done(&credential);
    return 0;
}
