// qubesec rotate: asks the operator for a new version of a key or a secret, before one is due.
#include "cli/request.h"

static bool serves(const struct kind *kind) {
    return kind->is_rotatable;
}

static int run(const struct program *program, char *const *words) {
    const struct request request = {
        .verb = &verb_rotate,
        .annotation = ROTATE_ANNOTATION,
        .status_field = ROTATE_STATUS_FIELD,
        .participle = "rotated",
        .example = "qkkp/web",
        .serves = serves,
    };
    return request_run(&request, program, words);
}

const struct verb verb_rotate = {
    .name = "rotate",
    .run = run,
    .help = "ask for a new version of a key or a secret, before one is due",
    .usage = "KIND/NAME [FLAG...]",
    .description =
        "Asks for a new version of what a QuantumKEMKeyPair, QuantumSignatureKeyPair, QuantumRandomNumber "
        "or\nQuantumEncapsulateSecret has made, as when one is due: the present version stays beside it, as "
        "spec.rotation says\n(without it, one version stays), and what is made from it follows. With "
        "spec.rotation.publishAhead the new version is\npublished at once, and used when that time is over. "
        "A root CA (a QuantumCertificate of certType ca without\nparentCARef) gets another key so, and what "
        "it has issued follows in turns. It sets the annotation\n" ROTATE_ANNOTATION
        " to the present time; whoever calls it needs the right to patch the object. Other\ncertificates "
        "are renewed instead: see the verb renew.\n"
        "Exit status: 0, it was asked for; 1, it was not; 2, wrongly called.\n",
    .flags = &request_flags,
};
