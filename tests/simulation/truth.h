// What the outputs hold, looked at with OpenSSL alone and none of the operator's own checks.
#pragma once

#include "cluster.h"
#include "people.h"

// What the status tells of what is no secret is what the Secret of that version holds.
void truth_compare_status(const struct thing *thing, const char *namespace, yyjson_val *secret,
                          yyjson_val *status);

// Whether text is what encoded, base64 or NULL, stands for.
bool truth_is_text_of(const char *text, const char *encoded);

// Whether two PEM texts, each in base64, are of one private key.
bool truth_is_same_key(const char *one, const char *other);

// Whether a shared secret and its ciphertext, each in base64, are for the key pair that a Secret holds.
bool truth_is_for(yyjson_val *key_pair, const char *ciphertext, const char *shared_secret);

// Of certificates, each text PEM in base64, or NULL, which is none: whether the chain, whose first
// certificate it is about, is verified by the roots at that time, in seconds since 1970, as a TLS client does
// it.
bool truth_is_trusted(const char *chain, const char *roots, int64_t at_s);

// The place of the certificate in entry among the roots; -1: it is none of them.
int truth_find_root(const char *entry, const char *roots);

// Whether the first certificates of both are of one name and one key, as whom a root is trusted.
bool truth_is_same_root(const char *one, const char *other);

int truth_count_certificates(const char *entry);

// What finished objects of a namespace have made belongs together: private and public keys, both sides'
// shared secrets, signature and message, certificate and issuer.
void truth_judge(const struct cluster *cluster, const char *namespace);
