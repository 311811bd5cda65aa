#include "kinds/input_key.h"

#include "crypto/keyform.h"

const struct algorithm *input_key_algorithm(const struct input *input) {
    return input->algorithm == nullptr ? nullptr : algorithm_find_by_name(input->algorithm);
}

bool input_key_choose_algorithm(const struct algorithm *wanted, const struct input *input,
                                const struct algorithm **ret_algorithm, struct error *e) {
    const struct algorithm *own = input_key_algorithm(input);
    if (wanted != nullptr && own != nullptr && wanted != own) {
        (void)error_set(e, ERROR_INVALID_SPEC,
                        "spec.algorithm: %s does not match spec.%s, which is of %s; leave spec.algorithm "
                        "out, or refer to another key",
                        wanted->name, input->field, own->name);
        return false;
    }
    *ret_algorithm = wanted != nullptr ? wanted : own;
    return true;
}

bool input_key_require_algorithm(const struct algorithm *wanted, const struct input *input,
                                 const struct algorithm **ret_algorithm, struct error *e) {
    const struct algorithm *algorithm = nullptr;
    if (!input_key_choose_algorithm(wanted, input, &algorithm, e)) {
        return false;
    }
    if (algorithm == nullptr) {
        (void)error_set(e, ERROR_INTERNAL, "the key pair of spec.%s does not say its algorithm",
                        input->field);
        return false;
    }
    *ret_algorithm = algorithm;
    return true;
}

bool input_key_check_algorithm(const struct input *input, const struct algorithm *algorithm,
                               const char *of_field, struct error *e) {
    const struct algorithm *own = input_key_algorithm(input);
    return own == nullptr || own == algorithm ||
           error_set(e, ERROR_INVALID_SPEC, "spec.%s is of %s, and spec.%s of %s", input->field, own->name,
                     of_field, algorithm->name);
}

// The handle of an input that has one; algorithm NULL: any of the family.
static bool take_handle(enum algorithm_family family, const struct algorithm *algorithm,
                        const struct input *input, struct pkey **ret_pkey, struct error *e) {
    const struct algorithm *own = pkey_algorithm(input->key);
    if (own->family != family) {
        return error_set(e, ERROR_INVALID_SPEC, "a key of %s is none for this", own->name);
    }
    if (algorithm != nullptr && own != algorithm) {
        return error_set(e, ERROR_INVALID_SPEC, "the key is of %s, not of %s", own->name, algorithm->name);
    }
    *ret_pkey = pkey_retain(input->key);
    return true;
}

bool input_key_open_private(const struct algorithm *algorithm, const struct input *input,
                            struct pkey **ret_pkey, struct error *e) {
    return input->key != nullptr ? take_handle(algorithm->family, algorithm, input, ret_pkey, e)
                                 : pkey_from_private(algorithm, secret_view(input->bytes),
                                                     secret_length(input->bytes), ret_pkey, e);
}

static bool read_public(enum algorithm_family family, const struct algorithm *algorithm,
                        const struct input *input, struct pkey **ret_pkey, struct error *e) {
    const void *bytes = secret_view(input->bytes);
    size_t length = secret_length(input->bytes);
    return algorithm == nullptr ? keyform_read_any_public(family, bytes, length, ret_pkey, e)
                                : keyform_read_public(algorithm, bytes, length, ret_pkey, e);
}

// What is there is no public key: it may be a mistake that gives a private one away.
static void warn_of_private(enum algorithm_family family, const struct algorithm *algorithm,
                            const struct input *input, struct error *e) {
    if (input->key == nullptr &&
        keyform_seems_private(family, algorithm, secret_view(input->bytes), secret_length(input->bytes))) {
        error_set(e, ERROR_INVALID_SPEC,
                  "this seems to be a private key, and a public one belongs here; treat it as leaked: make "
                  "another pair, and pass on the public key only");
    }
}

bool input_key_read_public(enum algorithm_family family, const struct algorithm *wanted,
                           const struct input *input, struct pkey **ret_pkey, struct error *e) {
    const struct algorithm *algorithm = nullptr;
    if (!input_key_choose_algorithm(wanted, input, &algorithm, e)) {
        return false;
    }
    if (algorithm != nullptr && !algorithm_check_available(algorithm, e)) {
        return error_wrap(e, "spec.algorithm");
    }
    bool read = input->key != nullptr ? take_handle(family, algorithm, input, ret_pkey, e)
                                      : read_public(family, algorithm, input, ret_pkey, e);
    if (!read && e->class == ERROR_INVALID_SPEC) {
        warn_of_private(family, algorithm, input, e);
    }
    return read || error_wrap(e, "spec.%s", input->field);
}
