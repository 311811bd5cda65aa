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

// What finished objects of a namespace have made belongs together: private and public keys, both sides'
// shared secrets, signature and message, certificate and issuer.
void truth_judge(const struct cluster *cluster, const char *namespace);
