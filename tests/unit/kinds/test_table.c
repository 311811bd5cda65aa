#include "support.h"

#include <ctype.h>

static size_t count_kinds(void) {
    size_t count = 0;
    while (kind_table[count] != nullptr) {
        count++;
    }
    return count;
}

static void it_serves_the_nine_kinds(void **) {
    static const struct {
        const char *kind;
        const char *plural;
        const char *short_name;
        const char *standard; // how it begins
    } wanted[] = {
        {"QuantumRandomNumber", "quantumrandomnumbers", "qrn",
         "NIST SP 800-90A; for provider system: Linux getrandom(2)"},
        {"QuantumKEMKeyPair", "quantumkemkeypairs", "qkkp", "FIPS 203"},
        {"QuantumEncapsulateSecret", "quantumencapsulatesecrets", "qes", "FIPS 203"},
        {"QuantumDecapsulateSecret", "quantumdecapsulatesecrets", "qds", "FIPS 203"},
        {"QuantumDerivedKey", "quantumderivedkeys", "qdk", "RFC 5869"},
        {"QuantumSignatureKeyPair", "quantumsignaturekeypairs", "qskp", nullptr}, // its algorithm's
        {"QuantumSignMessage", "quantumsignmessages", "qsm", nullptr},
        {"QuantumVerifySignature", "quantumverifysignatures", "qvs", nullptr},
        {"QuantumCertificate", "quantumcertificates", "qc", "RFC 5280"},
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        size_t found = 0;
        for (size_t j = 0; kind_table[j] != nullptr; j++) {
            const struct kind *kind = kind_table[j];
            if (strcmp(kind->kind, wanted[i].kind) == 0) {
                assert_string_equal(kind->plural, wanted[i].plural);
                assert_string_equal(kind->short_name, wanted[i].short_name);
                assert_int_equal(kind->standard == nullptr, wanted[i].standard == nullptr);
                if (kind->standard != nullptr) {
                    assert_memory_equal(kind->standard, wanted[i].standard, strlen(wanted[i].standard));
                }
                found++;
            }
        }
        assert_int_equal(found, 1);
    }
}

static void names_are_unique(void **) {
    for (size_t i = 0; i < count_kinds(); i++) {
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(kind_table[i]->kind, kind_table[j]->kind);
            assert_string_not_equal(kind_table[i]->plural, kind_table[j]->plural);
            assert_string_not_equal(kind_table[i]->short_name, kind_table[j]->short_name);
        }
    }
}

// What Kubernetes derives from a kind: the lower-case plural, which names its path.
static void plurals_fit_their_kinds(void **) {
    for (const struct kind *const *kind = kind_table; *kind != nullptr; kind++) {
        char plural[64] = {0};
        size_t length = strlen((*kind)->kind);
        assert_in_range(length, 1, sizeof(plural) - 2);
        for (size_t i = 0; i < length; i++) {
            plural[i] = (char)tolower((unsigned char)(*kind)->kind[i]);
        }
        plural[length] = 's';
        assert_string_equal((*kind)->plural, plural);
    }
}

static void every_kind_is_complete(void **) {
    for (const struct kind *const *row = kind_table; *row != nullptr; row++) {
        const struct kind *kind = *row;
        assert_true(kind->spec_size > 0);
        assert_non_null(kind->fields);
        if (kind->entries == nullptr) {
            assert_non_null(kind->evaluate);
            assert_null(kind->produce);
            assert_null(kind->inspect);
            continue;
        }
        assert_null(kind->evaluate);
        assert_non_null(kind->secret_suffix);
        assert_non_null(kind->produce);
        assert_non_null(kind->inspect);
        assert_true(kind->normalize == nullptr || kind->list_inputs != nullptr);
        assert_non_null(kind->entries);
        assert_non_null(kind->entries[0]);
        // What cannot be made again would be missed.
        assert_true(kind->repair == nullptr || kind->precious != nullptr);
        assert_true(!kind->is_made_once || kind->repair != nullptr);
        assert_true(kind->find_gone == nullptr || kind->precious != nullptr);
        assert_true(kind->precious == nullptr || strlen(kind->precious) < PROVENANCE_WORD_SIZE);
    }
}

// What people would miss, what no edit makes anew, and what is public.
static void each_kind_knows_what_is_precious(void **) {
    static const struct {
        const struct kind *kind;
        const char *precious;
        bool is_kept; // in damage
        bool is_made_once;
        bool is_public;
        bool is_rotatable;
    } wanted[] = {
        {&kind_random_number, "random bytes", true, true, false, true},
        {&kind_kem_key_pair, "private key", true, true, true, true},
        {&kind_encapsulate_secret, "shared secret", true, false, true, true},
        {&kind_decapsulate_secret, "shared secret", false, false, false, false},
        {&kind_derived_key, "key", false, false, false, false},
        {&kind_signature_key_pair, "private key", true, true, true, true},
        {&kind_sign_message, "", false, false, true, false},
        {&kind_verify_signature, "", false, false, true, false},
        {&kind_certificate, "private key", true, false, true, true},
    };
    assert_int_equal(count_kinds(), sizeof(wanted) / sizeof(wanted[0]));
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        const struct kind *kind = wanted[i].kind;
        assert_string_equal(kind->precious == nullptr ? "" : kind->precious, wanted[i].precious);
        assert_int_equal(kind->repair != nullptr, wanted[i].is_kept);
        assert_int_equal(kind->is_made_once, wanted[i].is_made_once);
        assert_int_equal(kind->is_public, wanted[i].is_public);
        assert_int_equal(kind->is_rotatable, wanted[i].is_rotatable);
        assert_int_equal(kind->version_bytes != nullptr, wanted[i].is_rotatable);
    }
}

// Entries are unique, fit beside metadata, and are keys that a Secret can have.
static void entries_can_be_stored(void **) {
    for (const struct kind *const *row = kind_table; *row != nullptr; row++) {
        const char *const *entries = (*row)->entries;
        size_t count = 0;
        if (entries == nullptr) {
            continue;
        }
        for (; entries[count] != nullptr; count++) {
            assert_string_not_equal(entries[count], kind_metadata_entry(*row));
            assert_int_equal(strspn(entries[count], "abcdefghijklmnopqrstuvwxyz._"), strlen(entries[count]));
            for (size_t i = 0; i < count; i++) {
                assert_string_not_equal(entries[count], entries[i]);
            }
        }
        assert_in_range(count, 1, SECRET_DATA_MAX - 1);
    }
}

// A kind that reads another one's output reads an entry that this one has.
static void what_kinds_read_of_each_other_is_there(void **) {
    static const char *const specs[] = {
        "{'publicKeyRef':{'name':'a'},'privateKeyRef':{'name':'a'},'ciphertextRef':{'name':'a'},"
        "'sharedSecretRef':{'name':'a'},'messageRef':{'name':'a'},'signatureRef':{'name':'a'},"
        "'parentCARef':{'name':'a'},'certType':'ca','commonName':'a'}",
    };
    size_t looked_at = 0;
    for (const struct kind *const *row = kind_table; *row != nullptr; row++) {
        cleanup_subject struct subject s = subject_read(*row, specs[0]);
        for (size_t i = 0; i < s.decoded.request_count; i++) {
            for (const struct input_source *source = s.decoded.requests[i].sources; source->kind != nullptr;
                 source++) {
                if (source->data_key == nullptr) {
                    continue;
                }
                bool found = false;
                for (const struct kind *const *other = kind_table; *other != nullptr; other++) {
                    for (size_t j = 0; (*other)->entries != nullptr && (*other)->entries[j] != nullptr; j++) {
                        found = found || (strcmp((*other)->kind, source->kind) == 0 &&
                                          strcmp((*other)->entries[j], source->data_key) == 0);
                    }
                }
                if (!found) {
                    fail_msg("%s reads %s of %s, which has none", (*row)->kind, source->data_key,
                             source->kind);
                }
                looked_at++;
            }
        }
    }
    assert_true(looked_at >= 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_serves_the_nine_kinds),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(plurals_fit_their_kinds),
        cmocka_unit_test(every_kind_is_complete),
        cmocka_unit_test(each_kind_knows_what_is_precious),
        cmocka_unit_test(entries_can_be_stored),
        cmocka_unit_test(what_kinds_read_of_each_other_is_there),
    };
    return cmocka_run_group_tests_name("kinds/table", tests, nullptr, no_secret_is_left);
}
