// What the tests of the webhook's authority share: a plan, Secrets as the API server would keep them, and
// OpenSSL's own verdict on a chain.
#pragma once

#include "../kube/objects.h"

#include "crypto/openssl.h"
#include "webhook/secret.h"
#include "webhook/webhook_metrics.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

// All that the room has.
static const struct metric *const webhook_metrics[] = {
    &metric_webhook_requests_total,
    &metric_webhook_latency_seconds,
    &metric_webhook_requests_in_flight,
    &metric_admission_total,
    &metric_certwatcher_reads_total,
    &metric_certwatcher_read_errors_total,
    &metric_webhook_certificate_expiration_timestamp_seconds,
    nullptr};

enum { TEXT_MAX = 1 << 18, DAY = 24 * 3600, OVERLAP = 60 };

static const int64_t start = 1767323045; // 2026-01-02T03:04:05Z

static struct san wanted_names[2];

static inline struct webhook_plan plan_at(int64_t now) {
    return (struct webhook_plan){
        .names = wanted_names, .name_count = 2, .now = now, .overlap = OVERLAP, .published = true};
}

static inline enum webhook_step decide(const struct webhook_authority *authority, struct webhook_plan plan) {
    struct error e;
    enum webhook_step step;
    const char *why;
    must(webhook_authority_decide(authority, &plan, &step, &why, &e), e);
    assert_true(step == WEBHOOK_NOTHING || why[0] != '\0');
    assert_int_equal(ERR_peek_error(), 0);
    return step;
}

static inline void advance(struct webhook_authority *authority, enum webhook_step step,
                           struct webhook_plan plan) {
    struct error e;
    must(webhook_authority_advance(authority, step, nullptr, &plan, &e), e);
    assert_int_equal(ERR_peek_error(), 0);
}

// What is due must be step, and it is done.
static inline void expect(struct webhook_authority *authority, enum webhook_step step,
                          struct webhook_plan plan) {
    assert_int_equal(decide(authority, plan), step);
    advance(authority, step, plan);
}

// One that was made at start.
static inline struct webhook_authority made(void) {
    struct webhook_authority authority = {0};
    snprintf(authority.damage, sizeof(authority.damage), "there is no Secret");
    expect(&authority, WEBHOOK_MAKE_ALL, plan_at(start));
    assert_int_equal(decide(&authority, plan_at(start)), WEBHOOK_NOTHING);
    return authority;
}

// The Secret as it would be created.
static inline yyjson_doc *secret_of(const struct webhook_authority *authority) {
    struct error e;
    cleanup_json_mut yyjson_mut_doc *document = nullptr;
    yyjson_doc *secret;
    must(json_create(&document, &e), e);
    must(webhook_secret_write(authority, "it", nullptr, document, &e), e);
    must(json_freeze(document, &secret, &e), e);
    return secret;
}

static inline struct webhook_authority read_back(yyjson_doc *secret) {
    struct error e;
    struct webhook_authority authority;
    must(webhook_secret_read(yyjson_doc_get_root(secret), &authority, &e), e);
    assert_int_equal(ERR_peek_error(), 0);
    return authority;
}

static inline STACK_OF(X509_INFO) * read_pem(const struct buffer *pem) {
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->length);
    STACK_OF(X509_INFO) *all = PEM_X509_INFO_read_bio(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    ERR_clear_error();
    assert_non_null(all);
    return all;
}

// Whether somebody with that caBundle accepts that chain for the webhook's host name, as OpenSSL sees it.
static inline bool is_accepted(const struct buffer *chain, const struct buffer *bundle, int64_t now) {
    STACK_OF(X509_INFO) *shown = read_pem(chain);
    STACK_OF(X509_INFO) *trusted = read_pem(bundle);
    X509_STORE *store = X509_STORE_new();
    for (int i = 0; i < sk_X509_INFO_num(trusted); i++) {
        assert_int_equal(X509_STORE_add_cert(store, sk_X509_INFO_value(trusted, i)->x509), 1);
    }
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    assert_int_equal(X509_STORE_CTX_init(context, store, sk_X509_INFO_value(shown, 0)->x509, nullptr), 1);
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(parameters, now);
    assert_int_equal(X509_VERIFY_PARAM_set1_host(parameters, wanted_names[0].text, 0), 1);
    assert_int_equal(X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER), 1);
    bool accepted = X509_verify_cert(context) == 1;
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    sk_X509_INFO_pop_free(shown, X509_INFO_free);
    sk_X509_INFO_pop_free(trusted, X509_INFO_free);
    ERR_clear_error();
    return accepted;
}

// Starts OpenSSL as the program does, for main.
static inline void start_webhook_tests(void) {
    struct error e;
    if (!crypto_start(&e) || !san_parse("qubesec-webhook.qubesec-system.svc", &wanted_names[0], &e) ||
        !san_parse("127.0.0.1", &wanted_names[1], &e)) {
        fprintf(stderr, "%s\n", e.message);
        _Exit(2);
    }
}
