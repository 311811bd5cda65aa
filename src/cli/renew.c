// qubesec renew: asks the operator to issue an object's output anew, before it is due.
#include "cli/request.h"

static bool serves(const struct kind *kind) {
    return kind->is_renewable;
}

static int run(const struct program *program, char *const *words) {
    const struct request request = {
        .verb = &verb_renew,
        .annotation = RENEW_ANNOTATION,
        .status_field = RENEW_STATUS_FIELD,
        .participle = "renewed",
        .example = "qc/web",
        .serves = serves,
    };
    return request_run(&request, program, words);
}

const struct verb verb_renew = {
    .name = "renew",
    .run = run,
    .help = "ask for a certificate to be issued anew, before it is due",
    .usage = "KIND/NAME [FLAG...]",
    .description =
        "Asks for a QuantumCertificate to be issued anew now, as it would be when it is due: with the same "
        "key, unless its\nspec.privateKey.rotationPolicy says otherwise. It sets the "
        "annotation " RENEW_ANNOTATION
        "\nto the present time; whoever calls it needs the right to patch the object. Keys, secrets and root "
        "CAs are rotated:\nsee the verb rotate. Other kinds are never made anew.\n"
        "Exit status: 0, it was asked for; 1, it was not; 2, wrongly called.\n",
    .flags = &request_flags,
};
