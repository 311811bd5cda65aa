// The validating webhook: admission reviews over HTTPS, on a thread and an event loop of their own, so that
// whoever can reach it cannot hold up the watches and the lease.
#pragma once

#include "engine/kind.h"
#include "runtime/metrics.h"
#include <stdint.h>

struct webhook;

// Serves POST /validate on address ("host:port", ":port"; port 0: any free one), with the kinds of a
// NULL-terminated list. It has no certificate yet, and refuses every handshake until it has one. All that is
// passed is borrowed until webhook_free. *ret_webhook is owned. Errors: INVALID_SPEC (address), IO (cannot
// bind), NO_MEMORY, INTERNAL.
[[nodiscard]] bool webhook_create(const char *address, const struct kind *const *kinds,
                                  struct metrics *metrics, struct webhook **ret_webhook, struct error *e);

// Serves under this certificate from now on; as server_identity_set. Any thread.
[[nodiscard]] bool webhook_set_identity(struct webhook *webhook, const char *chain_pem, const char *key_pem,
                                        struct error *e);

// Whether it has a certificate. Any thread. NULL (there is no webhook) is ready.
bool webhook_is_ready(struct webhook *webhook);

// The port that it listens on.
uint16_t webhook_port(const struct webhook *webhook);

// Whether callers may still come to a replica that has begun to end so long ago, when its last review came so
// long ago and it has grace_ms in all: for a third of the grace, but 30 s at most, and then until none has
// come for as long again, but not beyond two and a half times as long.
bool webhook_may_be_called(int64_t ending_ms, int64_t since_review_ms, uint32_t grace_ms);

// Whether a request that came until then may still be answered: for a little longer, so that nobody who goes
// on sending keeps the replica from ending.
bool webhook_may_be_answering(int64_t ending_ms, uint32_t grace_ms);

// Begins to end: requests are still answered, but each answer ends its connection, so that callers turn to
// another replica once they are told not to call this one any more. The process has grace_ms (monotonic, from
// now) until it is killed. Any thread. NULL is allowed.
void webhook_drain(struct webhook *webhook, uint32_t grace_ms);

// After webhook_drain: waits until no callers may come any more, which without a certificate none can, and
// what was begun is answered. NULL is allowed.
void webhook_wait_drained(struct webhook *webhook);

// Ends it, whatever is under way, and takes webhook; NULL is allowed.
void webhook_free(struct webhook *webhook);
