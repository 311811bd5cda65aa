// The reasons that the Ready condition and Events of our objects give, besides those of kinds/reasons.h. They
// are an interface: people and programs act on them. docs/reference/conditions.md explains each, and make
// lint compares.
#pragma once

// Of the condition, and of the Event when it changes.
#define REASON_SUCCEEDED "Succeeded"
#define REASON_WAITING_FOR "WaitingFor%s" // a kind
#define REASON_WAITING_FOR_GARBAGE_COLLECTION "WaitingForGarbageCollection"
#define REASON_WAITING_FOR_INPUT "WaitingForInput"
#define REASON_INVALID_SPEC "InvalidSpec"
#define REASON_SECRET_CONFLICT "SecretConflict"
#define REASON_SECRET_DAMAGED "SecretDamaged" // of an Event of its own, too
#define REASON_KEY_LOST "KeyLost"
#define REASON_KEY_MISMATCH "KeyMismatch"
#define REASON_ACCESS_DENIED "AccessDenied"
#define REASON_REQUEST_REFUSED "RequestRefused"
#define REASON_CRYPTO_ERROR "CryptoError"
#define REASON_INTERNAL_ERROR "InternalError"
#define REASON_RETRYING "Retrying"
#define REASON_METADATA_CONTESTED "MetadataContested" // of a finished object
#define REASON_OWNER_GUARDED "OwnerGuarded"           // the same

// Of Events only.
#define REASON_SECRET_LOST "SecretLost"
#define REASON_SECRET_REPAIRED "SecretRepaired"
#define REASON_KEY_REPLACED "KeyReplaced"
#define REASON_REPLACED "Replaced"
#define REASON_ADOPTED "Adopted"
#define REASON_RENEWED "Renewed"
#define REASON_RENEWAL_WAITS "RenewalWaits"
#define REASON_NOT_RENEWED "NotRenewed"
#define REASON_ROTATED "Rotated"
#define REASON_NOT_ROTATED "NotRotated"
#define REASON_ROTATION_REFUSED "RotationRefused"
#define REASON_NEXT_KEY_PUBLISHED "NextKeyPublished"
#define REASON_VERSION_EXPIRED "VersionExpired"
#define REASON_VERSION_LOST "VersionLost"
#define REASON_TRUST_BUNDLE_WRITTEN "TrustBundleWritten"
#define REASON_TRUST_BUNDLE_DELETED "TrustBundleDeleted"
#define REASON_TRUST_BUNDLE_CONFLICT "TrustBundleConflict" // in status.trustBundle, too, as those that follow
#define REASON_TRUST_BUNDLE_REFUSED "TrustBundleRefused"
#define REASON_TRUST_BUNDLE_CONTESTED "TrustBundleContested"
#define REASON_CERTIFICATE_EXPIRED "CertificateExpired"
