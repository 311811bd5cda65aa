// The reasons that kinds give in their reports; those of the operator are in reconcile/reasons.h.
#pragma once

#define REASON_SIGNATURE_VALID "SignatureValid"
#define REASON_SIGNATURE_INVALID "SignatureInvalid"
#define REASON_NOT_AFTER_CLAMPED "NotAfterClamped" // of an Event only
