// qubesec version
#include "cli/verbs.h"
#include "crypto/openssl.h"

#include <stdio.h>

static int run(const struct program *, char *const *) {
    printf("qubesec %s (OpenSSL %s)\n", QUBESEC_VERSION, crypto_version());
    return 0;
}

const struct verb verb_version = {
    .name = "version",
    .run = run,
    .help = "show the versions of this program and of OpenSSL",
    .usage = "",
    .description = "Shows the versions of this program and of the OpenSSL that is loaded, in one line.\n",
};
