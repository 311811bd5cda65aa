// That no version of an output is longer than its kind says, so that as many fit into a Secret as is
// promised.
#include "support.h"

#include "crypto/pkey.h"

// What is published of a public key besides the entries: it in base64, and the members around it.
static size_t jwk_bytes(const struct subject *s) {
    static const char members[] = "{\"kty\":\"AKP\",\"alg\":\"\",\"kid\":\"\",\"use\":\"\",\"pub\":\"\"}";
    enum { VALUES = 160 }; // an algorithm's name, a digest, and times
    const struct secret *key = secret_data_get(&s->data, "public_key");
    return key == nullptr ? 0 : (secret_length(key) + 2) / 3 * 4 + sizeof(members) + VALUES;
}

static void assert_bounded(struct subject *s) {
    size_t total = 0;
    size_t bound = s->kind->version_bytes(s->decoded.spec);
    subject_make(s);
    total += jwk_bytes(s);
    for (size_t i = 0; s->kind->entries[i] != nullptr; i++) {
        total += secret_length(entry_of(s, s->kind->entries[i]));
    }
    if (total > bound) {
        fail_msg("a version of %s has %zu bytes, of %zu", s->kind->kind, total, bound);
    }
    assert_true(bound < 3 * total + 1024); // and much room is not wasted
}

static void keys_are_bounded(const struct kind *kind, enum algorithm_family family) {
    const struct algorithm *algorithm;
    size_t count = 0;
    for (size_t i = 0; (algorithm = algorithm_at(family, i)) != nullptr; i++) {
        char spec[100];
        if (algorithm->instead != nullptr || algorithm->is_slow) {
            continue; // which is as long as one that is not slow
        }
        snprintf(spec, sizeof(spec), "{'algorithm':'%s'}", algorithm->name);
        cleanup_subject struct subject s = subject_read(kind, spec);
        assert_bounded(&s);
        count++;
    }
    assert_true(count >= 3);
}

static void key_pairs_are_bounded(void **) {
    keys_are_bounded(&kind_kem_key_pair, ALGORITHM_KEM);
    keys_are_bounded(&kind_signature_key_pair, ALGORITHM_SIGNATURE);
}

static void random_bytes_are_bounded(void **) {
    cleanup_subject struct subject least = subject_read(&kind_random_number, "{'numBytes':1}");
    cleanup_subject struct subject most = subject_read(&kind_random_number, "{'numBytes':65536}");
    assert_bounded(&least);
    assert_bounded(&most);
    assert_int_equal(kind_random_number.version_bytes(most.decoded.spec), 65536);
}

static void shared_secrets_are_bounded(void **) {
    const struct algorithm *algorithm = algorithm_find(ALGORITHM_KEM, "ML-KEM-1024");
    struct error e;
    cleanup_pkey struct pkey *pkey = nullptr;
    cleanup_buffer struct buffer raw = buffer_create(4096);
    cleanup_subject struct subject s =
        subject_read(&kind_encapsulate_secret, "{'publicKeyRef':{'name':'a'}}");
    must(pkey_generate(algorithm, &pkey, &e) && pkey_public(pkey, &raw, &e), e);
    subject_give(&s, 0, algorithm->name, raw.data, raw.length);
    assert_bounded(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_pairs_are_bounded),
        cmocka_unit_test(random_bytes_are_bounded),
        cmocka_unit_test(shared_secrets_are_bounded),
    };
    return cmocka_run_group_tests_name("kinds/version_bytes", tests, nullptr, no_secret_is_left);
}
