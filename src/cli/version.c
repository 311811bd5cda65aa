// qubesec version
#include "cli/verbs.h"
#include "crypto/openssl.h"

#include <stdio.h>

int verb_version(char *const *) {
    printf("qubesec %s (OpenSSL %s)\n", QUBESEC_VERSION, crypto_version());
    return 0;
}
