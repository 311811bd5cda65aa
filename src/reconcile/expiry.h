// The end of a certificate whose object waits or has failed, so that nothing has renewed it.
#pragma once

#include "reconcile/reconcile.h"

// Milliseconds until the certificate that the status tells of ends, but at most RENEWAL_LOOK_MS, since it
// ends by the wall clock, which may be set meanwhile; so it is looked at too when it has ended. 0: there is
// none.
uint32_t expiry_wait_ms(const struct reconcile *r);

// Puts before the text of e, which is why the object waits or has failed, that its certificate has ended, if
// it has.
void expiry_describe(const struct reconcile *r, struct error *e);

// Records an Event with message, which expiry_describe has made and a status now has, if the status of before
// did not say so yet.
void expiry_tell(const struct reconcile *r, const char *message);
