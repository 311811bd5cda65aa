#include "repair.h"

static const struct kind *const kind = &kind_random_number;

// The bytes 00 to 2f, and what NIST's generator makes of them.
#define SEED                                                                                                 \
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
#define SEEDED                                                                                               \
    "061550234d158c5ec95595fe04ef7a25767f2e24cc2bc479d09d86dc9abcfde7056a8c266f9ef97ed08541dbd2e1ffa1"
// A personalization string of 48 bytes; what SP 800-90A makes of both (over the openssl command's
// aes-256-ctr).
#define PERSONALIZATION                                                                                      \
    "f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663"
#define PERSONALIZED "fe512332f37bc055ff51245cd7597cff78873e55601f7de05d350332f4b60d4a"

static size_t size_of(const struct subject *s) {
    return secret_length(entry_of(s, "random"));
}

static double entropy_of(const struct subject *s) {
    return yyjson_mut_get_num(yyjson_mut_obj_get(yyjson_mut_doc_get_root(s->report.status), "entropy"));
}

static void thirty_two_bytes_are_made_of_nothing(void **) {
    static const char *const specs[] = {"{}", "null", "{'numBytes':null,'provider':null,'seed':null}"};
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        cleanup_subject struct subject s = subject_read(kind, specs[i]);
        assert_int_equal(s.decoded.request_count, 0);
        subject_make(&s);
        assert_entries(&s);
        assert_int_equal(size_of(&s), 32);
        assert_string_equal(s.provenance.algorithm, "system");
        assert_null(s.report.warning);
        assert_sound(&s);
    }
}

static void the_status_tells_of_the_bytes(void **) {
    cleanup_subject struct subject s = subject_read(kind, "{'numBytes':1}");
    subject_make(&s);
    assert_status(&s, "{'size':1,'entropy':0,'lastGeneratedTime':'2026-01-02T03:04:05Z'}");
    assert_string_equal(s.report.fingerprint, "");
    cleanup_subject struct subject more = subject_read(kind, "{'numBytes':65536}");
    subject_make(&more);
    assert_int_equal(
        yyjson_mut_get_int(yyjson_mut_obj_get(yyjson_mut_doc_get_root(more.report.status), "size")), 65536);
    assert_true(entropy_of(&more) > 7.9 && entropy_of(&more) <= 8);
    const struct secret *random = entry_of(&more, "random");
    assert_fingerprint_of(&more, secret_view(random), secret_length(random));
}

static void the_number_of_bytes_has_two_names_and_bounds(void **) {
    static const struct {
        const char *spec;
        size_t size;
    } cases[] = {{"{'numBytes':1}", 1},
                 {"{'numBytes':65536}", 65536},
                 {"{'bytes':1}", 1},
                 {"{'bytes':65536}", 65536},
                 {"{'numBytes':7,'bytes':7}", 7}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleanup_subject struct subject s = subject_read(kind, cases[i].spec);
        subject_make(&s);
        assert_int_equal(size_of(&s), cases[i].size);
        assert_sound(&s);
    }
    assert_faults(kind, "{'numBytes':0}", "spec.numBytes: 0 is not between 1 and 65536");
    assert_faults(kind, "{'numBytes':65537}", "spec.numBytes: 65537 is not between 1 and 65536");
    assert_faults(kind, "{'bytes':0}", "spec.bytes: 0 is not between 1 and 65536");
    assert_faults(kind, "{'bytes':65537}", "spec.bytes: 65537 is not between 1 and 65536");
    assert_faults(kind, "{'bytes':'32'}", "spec.bytes: must be a whole number, not the text \"32\"");
    assert_faults(kind, "{'numBytes':7,'bytes':8}",
                  "spec.numBytes: 7 and its other name bytes: 8 differ; give one of them");
}

static void both_providers_make_other_bytes_each_time(void **) {
    static const char *const specs[] = {"{'provider':'system'}", "{'provider':'OpenSSL'}"};
    static const char *const algorithms[] = {"system", "OpenSSL"};
    for (size_t i = 0; i < 2; i++) {
        cleanup_subject struct subject one = subject_read(kind, specs[i]);
        cleanup_subject struct subject other = subject_read(kind, specs[i]);
        subject_make(&one);
        subject_make(&other);
        assert_string_equal(one.provenance.algorithm, algorithms[i]);
        const struct secret *bytes = entry_of(&one, "random");
        assert_false(secret_equals(entry_of(&other, "random"), secret_view(bytes), secret_length(bytes)));
        assert_sound(&one);
    }
    assert_faults(kind, "{'provider':'openssl'}", "spec.provider: openssl is not one of system, OpenSSL");
    assert_faults(kind, "{'provider':''}", "spec.provider:  is not one of system, OpenSSL");
}

static void a_few_bytes_have_no_fingerprint(void **) {
    cleanup_subject struct subject fifteen = subject_read(kind, "{'numBytes':15}");
    subject_make(&fifteen);
    assert_string_equal(fifteen.report.fingerprint, "");
    assert_sound(&fifteen);
    cleanup_subject struct subject sixteen = subject_read(kind, "{'numBytes':16}");
    subject_make(&sixteen);
    assert_fingerprint_of(&sixteen, secret_view(entry_of(&sixteen, "random")), 16);
    // The status has no digest of either: the metadata, which is in the Secret too, has both.
    assert_string_equal(fifteen.report.digest, "");
    assert_string_equal(sixteen.report.digest, "");
    assert_int_equal(yyjson_obj_size(fifteen.provenance.digests), 1);
}

// ---- seeds

static void seed_gives(const char *spec, const char *digits) {
    cleanup_subject struct subject s = subject_read(kind, spec);
    subject_make(&s);
    assert_secret_hex(entry_of(&s, "random"), digits);
    assert_string_equal(s.provenance.algorithm, "AES-256-CTR-DRBG");
    assert_non_null(s.report.warning);
    assert_non_null(strstr(s.report.warning, "made from a seed"));
    assert_non_null(strstr(s.report.warning, "test vectors only"));
    assert_sound(&s);
    assert_non_null(s.report.warning); // also when it is looked at again
}

static void a_seed_gives_known_bytes(void **) {
    seed_gives("{'numBytes':48,'seed':'" SEED "'}", SEEDED);
    seed_gives("{'bytes':48,'seed':'" SEED "','provider':'system'}", SEEDED);
    seed_gives("{'numBytes':1,'seed':'" SEED "'}", "06");
    // "hello" as its personalization string, which is padded with zeros.
    seed_gives("{'seed':'" SEED "68656c6c6f'}",
               "8e06bd9325fd72a902aad66e6eafee7ee4ac99987f25d2b857684f42711fac75");
    seed_gives("{'seed':'" SEED "68656c6c6f00'}",
               "8e06bd9325fd72a902aad66e6eafee7ee4ac99987f25d2b857684f42711fac75");
    seed_gives("{'seed':'" SEED PERSONALIZATION "'}", PERSONALIZED);
}

static void the_digits_of_a_seed_may_be_large(void **) {
    char spec[200] = "{'numBytes':48,'seed':'" SEED "'}";
    for (char *digit = strstr(spec, "0001"); *digit != '\''; digit++) {
        *digit = (char)(*digit >= 'a' && *digit <= 'f' ? *digit - 'a' + 'A' : *digit);
    }
    seed_gives(spec, SEEDED);
}

static void a_seed_has_bounds(void **) {
    char spec[400];
    static const char digits[] = SEED PERSONALIZATION "00";
    static const struct {
        int digits;
        const char *message;
    } cases[] = {
        {0, "spec.seed: has 0 hexadecimal digits; an even number from 96 to 192 is allowed"},
        {94, "spec.seed: has 94 hexadecimal digits; an even number from 96 to 192 is allowed"},
        {95, "spec.seed: has 95 hexadecimal digits; an even number from 96 to 192 is allowed"},
        {97, "spec.seed: has 97 hexadecimal digits; an even number from 96 to 192 is allowed"},
        {194, "spec.seed: must be a text of at most 192 bytes without NUL; it has 194"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(spec, sizeof(spec), "{'seed':'%.*s'}", cases[i].digits, digits);
        assert_faults(kind, spec, cases[i].message);
    }
    snprintf(spec, sizeof(spec), "{'seed':'%.95s '}", digits);
    assert_faults(kind, spec, "spec.seed: must be hexadecimal; character 96 is not");
}

static void a_seed_takes_the_place_of_a_provider(void **) {
    static const char message[] =
        "spec.provider: OpenSSL does not go with spec.seed and spec.seedURI; remove one of them";
    assert_faults(kind, "{'provider':'OpenSSL','seed':'" SEED "'}", message);
    assert_faults(kind, "{'provider':'OpenSSL','seedURI':'https://host/seed'}", message);
    assert_faults(kind, "{'seed':'" SEED "','seedURI':'https://host/seed'}",
                  "spec.seedURI: does not go with spec.seed; give one of them");
}

static struct subject read_seed_from_url(const char *content) {
    struct subject s = subject_read(kind, "{'numBytes':48,'seedURI':'https://host/seed'}");
    assert_int_equal(s.decoded.request_count, 1);
    assert_request(&s, 0, "seedURI", "https://host/seed");
    assert_sources(&s, 0, "URL:!");
    subject_give(&s, 0, nullptr, content, strlen(content));
    return s;
}

static void a_seed_may_come_from_a_url(void **) {
    static const char *const contents[] = {SEED, SEED "\n", "  " SEED "\r\n"};
    for (size_t i = 0; i < 3; i++) {
        cleanup_subject struct subject s = read_seed_from_url(contents[i]);
        subject_make(&s);
        assert_secret_hex(entry_of(&s, "random"), SEEDED);
        assert_string_equal(s.provenance.algorithm, "AES-256-CTR-DRBG");
        assert_non_null(s.report.warning);
        assert_sound(&s);
    }
}

static void what_comes_from_a_url_may_be_no_seed(void **) {
    static const struct {
        const char *content;
        const char *message;
    } cases[] = {
        {"", "spec.seedURI: its content: the seed has 0 bytes; 48 to 96 are allowed"},
        {"00010203", "spec.seedURI: its content: the seed has 4 bytes; 48 to 96 are allowed"},
        {SEED PERSONALIZATION "00", "spec.seedURI: its content: the seed has 97 bytes; 48 to 96 are allowed"},
        {"<html>", "spec.seedURI: its content: "},
        {SEED "0", "spec.seedURI: its content: "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error e;
        cleanup_subject struct subject s = read_seed_from_url(cases[i].content);
        must_fail(subject_try_make(&s, &e), e, ERROR_INVALID_SPEC, cases[i].message);
        assert_int_equal(s.data.count, 0);
    }
}

static void a_url_has_bounds(void **) {
    for (size_t length = 2048; length <= 2049; length++) {
        static const char start[] = "https://";
        char spec[2100] = "{'seedURI':'";
        size_t used = strlen(spec);
        memset(spec + used, 'u', length);
        memcpy(spec + used, start, sizeof(start) - 1);
        memcpy(spec + used + length, "'}", 3);
        if (length == 2048) {
            assert_good_spec(kind, spec);
        } else {
            assert_faults(kind, spec,
                          "spec.seedURI: must be a text of at most 2048 bytes without NUL; it has 2049");
        }
    }
}

static void only_web_addresses_are_taken(void **) {
    static const char *const bad[] = {"", "seed", "ftp://host/seed", "HTTPS://host/seed", "https:/host"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char spec[100];
        snprintf(spec, sizeof(spec), "{'seedURI':'%s'}", bad[i]);
        assert_faults(kind, spec, "spec.seedURI: must begin with https:// or http://");
    }
    assert_good_spec(kind, "{'seedURI':'http://host/seed'}");
}

static void only_what_is_random_rotates(void **) {
    assert_good_spec(kind, "{'provider':'OpenSSL','rotation':{'every':'1h'}}");
    assert_faults(kind, "{'seed':'" SEED "','rotation':{'every':'1h'}}",
                  "spec.rotation: does not go with spec.seed, from which the same bytes would come again; "
                  "remove one of them");
    assert_faults(kind, "{'seedURI':'https://host/seed','rotation':{}}",
                  "spec.rotation: does not go with spec.seedURI, from which the same bytes would come again; "
                  "remove one of them");
    assert_good_spec(kind, "{'seed':'" SEED "','rotation':null}");
    assert_faults(kind, "{'rotation':{'every':'1h','publishAhead':'1m'}}",
                  "spec.rotation.publishAhead: a QuantumRandomNumber has nothing public to publish ahead; "
                  "remove it");
}

static void all_faults_are_told_at_once(void **) {
    assert_faults(
        kind, "{'numBytes':0,'provider':'dice','seed':'xyz','seedURI':5,'secretName':'A','deletionPolicy':1}",
        "spec.secretName: \"A\" is not a DNS name: lower-case letters, digits, '-' and '.', and a letter "
        "or digit at both ends; spec.deletionPolicy: must be a text, not 1; "
        "spec.numBytes: 0 is not between 1 and 65536; "
        "spec.provider: dice is not one of system, OpenSSL; "
        "spec.seed: must be hexadecimal; character 1 is not; spec.seedURI: must be a text, not 5");
}

// A fault ends in the status, so it must not repeat a seed.
static void a_fault_does_not_show_the_seed(void **) {
    struct error e;
    cleanup_subject struct subject s = {0};
    must_fail(subject_try_read(kind, "{'seed':'" SEED "0','provider':'OpenSSL','numBytes':0}", &s, &e), e,
              ERROR_INVALID_SPEC, "spec.seed");
    assert_null(strstr(e.message, "0001"));
}

// ---- the parameters: what makes an output another one

static void the_parameters_is_of_all_that_decides(void **) {
    assert_same_parameters(kind, "{}", "{'bytes':32,'provider':'system'}");
    assert_same_parameters(kind, "{'numBytes':5}", "{'bytes':5,'secretName':'x','deletionPolicy':'Retain'}");
    assert_same_parameters(kind, "{'seed':'" SEED "abcdef'}", "{'seed':'" SEED "ABCDEF'}");
    assert_different_parameters(kind, "{}", "{'numBytes':31}");
    assert_different_parameters(kind, "{}", "{'provider':'OpenSSL'}");
    assert_different_parameters(kind, "{}", "{'seed':'" SEED "'}");
    assert_different_parameters(kind, "{'seed':'" SEED "'}", "{'seed':'" SEED "00'}");
    assert_different_parameters(kind, "{'seed':'" SEED PERSONALIZATION "'}",
                                "{'seed':'" PERSONALIZATION SEED "'}");
}

// ---- damage

static void damage_is_found(void **) {
    static const char *const specs[] = {"{}", "{'numBytes':16}", "{'numBytes':65536,'provider':'OpenSSL'}",
                                        "{'seed':'" SEED "'}"};
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        cleanup_subject struct subject s = subject_read(kind, specs[i]);
        subject_make(&s);
        assert_damage_is_found(&s);
        assert_bad_metadata_is_found(&s);
    }
}

static void each_changed_byte_is_found(void **) {
    cleanup_subject struct subject s = subject_read(kind, "{'numBytes':40}");
    subject_make(&s);
    for (size_t i = 0; i < 40; i++) {
        change_byte(&s, "random", i);
        assert_damaged(&s, "the Secret's entry random is not the one that its metadata was written for");
        change_metadata(&s, "digests", nullptr); // as if version 0.1.0 had written it
        assert_damaged(&s, "and its metadata says ");
        change_metadata(&s, "fingerprint", nullptr);
        assert_damaged(&s, "and its metadata says ");
        subject_make(&s);
    }
}

static void the_length_is_looked_at_whatever_the_metadata_says(void **) {
    cleanup_subject struct subject s = subject_read(kind, "{'numBytes':8}");
    subject_make(&s);
    replace_entry(&s, "random", "1234567", 7);
    assert_inspection_fails(&s, "the Secret's entry random has 7 bytes, not 8");
    replace_entry(&s, "random", "123456789", 9);
    assert_inspection_fails(&s, "the Secret's entry random has 9 bytes, not 8");
    secret_free(remove_entry(&s, "random"));
    assert_inspection_fails(&s, "the Secret's entry random is missing");
}

// What another spec has made, under the eyes of this one.
static void what_another_spec_made_is_found(void **) {
    static const char *const specs[] = {"{}", "{'numBytes':33}", "{'provider':'OpenSSL'}",
                                        "{'seed':'" SEED "'}"};
    enum { COUNT = sizeof(specs) / sizeof(specs[0]) };
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT; j++) {
            cleanup_subject struct subject maker = subject_read(kind, specs[i]);
            cleanup_subject struct subject judge = subject_read(kind, specs[j]);
            subject_make(&maker);
            judge.data = maker.data;
            maker.data = (struct secret_data){0};
            if (i == j) {
                assert_sound(&judge);
            } else {
                assert_damaged(&judge, "");
            }
        }
    }
    cleanup_subject struct subject s = subject_read(kind, "{}");
    subject_make(&s);
    change_metadata(&s, "algorithm", "'OpenSSL'");
    assert_damaged(&s, "the Secret holds random bytes of OpenSSL, not of system");
}

// ---- what is left after damage

static const char bytes_are_lost[] = "random does not hold the bytes that were made any more";

static const char *const unseeded[] = {"{}", "{'numBytes':16}", "{'numBytes':65536,'provider':'OpenSSL'}",
                                       "{'numBytes':1}", "{'numBytes':15}"};
enum { UNSEEDED_COUNT = sizeof(unseeded) / sizeof(unseeded[0]) };

// Without metadata the status knows the bytes, or else their number must do.
static void bytes_outlive_damage_to_the_metadata(void **) {
    for (size_t i = 0; i < UNSEEDED_COUNT; i++) {
        for (int damage = 0; damage < OF_ANOTHER; damage++) {
            for (int recorded = 0; recorded < 2; recorded++) {
                cleanup_subject struct subject s = subject_read(kind, unseeded[i]);
                subject_make(&s);
                cleanup_secret struct secret *bytes = copy_entry(&s, "random");
                if (recorded == 1) {
                    subject_remember(&s, &s, true);
                }
                damage_entry(&s, "metadata", (enum damage)damage, nullptr);
                subject_repair(&s, damage == LENGTHENED);
                assert_true(entry_is(&s, "random", bytes));
            }
        }
    }
}

// A length that is wrong, or no length at all.
static void other_bytes_are_not_what_was_made(void **) {
    for (size_t i = 0; i < UNSEEDED_COUNT; i++) {
        for (int damage = 0; damage < OF_ANOTHER; damage++) {
            for (int with_metadata = 0; with_metadata < 2; with_metadata++) {
                cleanup_subject struct subject s = subject_read(kind, unseeded[i]);
                subject_make(&s);
                subject_remember(&s, &s, true);
                damage_entry(&s, "random", (enum damage)damage, nullptr);
                assert_not_repaired(&s, with_metadata == 1, ERROR_KEY_LOST, bytes_are_lost);
            }
        }
    }
}

// The metadata has the full digest; the status the first ten digits of it, or nothing.
static void changed_bytes_are_found_by_either(void **) {
    cleanup_subject struct subject s = subject_read(kind, "{'numBytes':40}");
    subject_make(&s);
    change_byte(&s, "random", 7);
    assert_not_repaired(&s, true, ERROR_KEY_LOST, bytes_are_lost); // by the metadata
    subject_remember(&s, &s, true);
    assert_not_repaired(&s, true, ERROR_KEY_LOST, bytes_are_lost);  // by both
    assert_not_repaired(&s, false, ERROR_KEY_LOST, bytes_are_lost); // by the status
}

static void one_who_knows_the_bytes_is_enough(void **) {
    struct error e;
    cleanup_subject struct subject s = subject_read(kind, "{'numBytes':40}");
    cleanup_subject struct subject other = subject_read(kind, "{'numBytes':40}");
    subject_make(&s);
    subject_make(&other);
    cleanup_secret struct secret *bytes = copy_entry(&s, "random");
    // The status is of other bytes: people compare its fingerprint with what is reported then.
    subject_remember(&s, &other, true);
    change_metadata(&s, "fingerprint", "'0123456789'");
    subject_repair(&s, true);
    assert_true(entry_is(&s, "random", bytes));
    assert_string_not_equal(s.report.fingerprint, s.context.record.fingerprint);
    // The metadata is of other bytes.
    subject_remember(&s, &s, true);
    take_entry(&s, "metadata", &other);
    subject_repair(&s, true);
    assert_true(entry_is(&s, "random", bytes));
    must(subject_inspect(&s, &e), e);
    assert_string_equal(s.report.fingerprint, s.context.record.fingerprint);
    // Both are.
    subject_remember(&s, &other, true);
    take_entry(&s, "metadata", &other);
    assert_not_repaired(&s, true, ERROR_KEY_LOST, bytes_are_lost);
    assert_true(entry_is(&s, "random", bytes));
}

// Few bytes have no fingerprint in the status; that there is none says nothing about them.
static void few_bytes_are_known_by_the_metadata_alone(void **) {
    cleanup_subject struct subject s = subject_read(kind, "{'numBytes':8}");
    subject_make(&s);
    subject_remember(&s, &s, true);
    assert_string_equal(s.context.record.fingerprint, "");
    change_byte(&s, "random", 0);
    assert_not_repaired(&s, true, ERROR_KEY_LOST, bytes_are_lost);
    cleanup_secret struct secret *bytes = copy_entry(&s, "random");
    subject_repair(&s, false);
    assert_true(entry_is(&s, "random", bytes));
}

// Version 0.1.0 wrote ten digits, of sixteen bytes and more.
static void what_an_earlier_version_wrote_is_repaired(void **) {
    cleanup_subject struct subject s = subject_read(kind, "{'numBytes':40}");
    subject_make(&s);
    cleanup_secret struct secret *bytes = copy_entry(&s, "random");
    char fingerprints[64];
    snprintf(fingerprints, sizeof(fingerprints), "{'random':'%s'}", s.report.fingerprint);
    change_metadata(&s, "digests", nullptr);
    add_metadata(&s, "fingerprints", fingerprints);
    change_metadata(&s, "recipe", "'0123456789'");
    assert_damaged(&s, "it was made from another spec or other inputs");
    subject_repair(&s, true);
    assert_true(entry_is(&s, "random", bytes));
    assert_false(s.provenance.is_brief);
}

// What the spec has the seed of is made again, and is the same.
static void seeded_bytes_are_made_again(void **) {
    static const char *const specs[] = {"{'numBytes':48,'seed':'" SEED "'}",
                                        "{'numBytes':8,'seed':'" SEED PERSONALIZATION "'}"};
    for (size_t i = 0; i < 2; i++) {
        for (int damage = 0; damage < OF_ANOTHER; damage++) {
            cleanup_subject struct subject s = subject_read(kind, specs[i]);
            subject_make(&s);
            cleanup_secret struct secret *bytes = copy_entry(&s, "random");
            damage_entry(&s, "random", (enum damage)damage, nullptr);
            subject_repair(&s, true);
            assert_true(entry_is(&s, "random", bytes));
            secret_free(remove_entry(&s, "metadata"));
            change_byte(&s, "random", 1);
            subject_repair(&s, false);
            assert_true(entry_is(&s, "random", bytes));
        }
    }
}

// What a URL gave once need not be what it gives now.
static void bytes_of_a_url_are_kept(void **) {
    cleanup_subject struct subject s = read_seed_from_url(SEED);
    subject_make(&s);
    cleanup_secret struct secret *bytes = copy_entry(&s, "random");
    subject_give(&s, 0, nullptr, "<html>", 6);
    change_metadata(&s, "fingerprint", "'0123456789'");
    subject_repair(&s, true);
    assert_true(entry_is(&s, "random", bytes));
    secret_free(remove_entry(&s, "random"));
    assert_not_repaired(&s, true, ERROR_KEY_LOST, bytes_are_lost);
}

static void out_of_memory_is_no_loss(void **) {
    cleanup_subject struct subject s = subject_read(kind, "{'numBytes':40}");
    subject_make(&s);
    subject_remember(&s, &s, true);
    assert_repair_survives_lack_of_memory(&s, true, ERROR_NONE);
    assert_repair_survives_lack_of_memory(&s, false, ERROR_NONE);
    cleanup_subject struct subject seeded = subject_read(kind, "{'seed':'" SEED "'}");
    subject_make(&seeded);
    assert_repair_survives_lack_of_memory(&seeded, true, ERROR_NONE);
}

static void out_of_memory_is_an_error_of_its_class(void **) {
    static const char *const specs[] = {"{}", "{'provider':'OpenSSL'}", "{'seed':'" SEED "'}"};
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        cleanup_subject struct subject s = subject_read(kind, specs[i]);
        assert_survives_lack_of_memory(&s);
    }
}

int main(void) {
    start_or_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thirty_two_bytes_are_made_of_nothing),
        cmocka_unit_test(the_status_tells_of_the_bytes),
        cmocka_unit_test(the_number_of_bytes_has_two_names_and_bounds),
        cmocka_unit_test(both_providers_make_other_bytes_each_time),
        cmocka_unit_test(a_few_bytes_have_no_fingerprint),
        cmocka_unit_test(a_seed_gives_known_bytes),
        cmocka_unit_test(the_digits_of_a_seed_may_be_large),
        cmocka_unit_test(a_seed_has_bounds),
        cmocka_unit_test(a_seed_takes_the_place_of_a_provider),
        cmocka_unit_test(a_seed_may_come_from_a_url),
        cmocka_unit_test(what_comes_from_a_url_may_be_no_seed),
        cmocka_unit_test(a_url_has_bounds),
        cmocka_unit_test(only_web_addresses_are_taken),
        cmocka_unit_test(only_what_is_random_rotates),
        cmocka_unit_test(all_faults_are_told_at_once),
        cmocka_unit_test(a_fault_does_not_show_the_seed),
        cmocka_unit_test(the_parameters_is_of_all_that_decides),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(each_changed_byte_is_found),
        cmocka_unit_test(the_length_is_looked_at_whatever_the_metadata_says),
        cmocka_unit_test(what_another_spec_made_is_found),
        cmocka_unit_test(bytes_outlive_damage_to_the_metadata),
        cmocka_unit_test(other_bytes_are_not_what_was_made),
        cmocka_unit_test(changed_bytes_are_found_by_either),
        cmocka_unit_test(one_who_knows_the_bytes_is_enough),
        cmocka_unit_test(few_bytes_are_known_by_the_metadata_alone),
        cmocka_unit_test(what_an_earlier_version_wrote_is_repaired),
        cmocka_unit_test(seeded_bytes_are_made_again),
        cmocka_unit_test(bytes_of_a_url_are_kept),
        cmocka_unit_test(out_of_memory_is_no_loss),
        cmocka_unit_test(out_of_memory_is_an_error_of_its_class),
    };
    return cmocka_run_group_tests_name("kinds/random_number", tests, nullptr, no_secret_is_left);
}
