// Certificates as their kind makes them, with the fastest algorithm.
#pragma once

#include "repair.h"

static const char root_spec[] = ",'certType':'ca','commonName':'root'";
static const char leaf_spec[] = ",'certType':'server','domain':'a.example','parentCARef':{'name':'p'}";

enum { DAY = 24 * 3600 };

// With the fastest algorithm, and this in the spec besides.
static inline struct subject read_spec(const char *more) {
    char spec[1000];
    snprintf(spec, sizeof(spec), "{'algorithm':'ML-DSA-44'%s}", more);
    return subject_read(&kind_certificate, spec);
}

// What a parent's Secret gives: key, chain and root, one after the other.
static inline void give_parent(struct subject *s, const struct subject *parent) {
    static const char *const keys[] = {"tls.key", "tls.crt", "ca.crt"};
    struct error e;
    cleanup_buffer struct buffer bundle = buffer_create(1 << 20);
    for (size_t i = 0; i < 3; i++) {
        const struct secret *entry = entry_of(parent, keys[i]);
        must(buffer_append(&bundle, secret_view(entry), secret_length(entry), &e), e);
    }
    subject_give(s, 0, parent->provenance.algorithm, bundle.data, bundle.length);
}

static inline struct subject made(const char *more, const struct subject *parent) {
    struct subject s = read_spec(more);
    if (parent != nullptr) {
        give_parent(&s, parent);
    }
    subject_make(&s);
    assert_entries(&s);
    assert_sound(&s);
    return s;
}
