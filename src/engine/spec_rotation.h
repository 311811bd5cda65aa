// What holds between the fields of spec.rotation, and between them and the rest of a spec.
#pragma once

#include "engine/kind.h"

// The bytes that a Secret of several versions may have: with room below what Kubernetes takes, 1 MiB for all
// values together.
enum { ROTATION_SECRET_MAX = 960 * 1024, ROTATION_VERSION_OVERHEAD = 512 };

// Checks rotation, which was given, of a spec of that kind, which is rotatable; both were read, with what was
// at fault as if it were absent. Faults and warnings go to the reader.
void spec_rotation_check(struct spec_reader *reader, const struct kind *kind, const void *spec,
                         const struct rotation_spec *rotation);

// Fills in what is usual for versions that others trust, given or not: the next one is published an hour
// ahead, or a quarter of every, and an earlier one stays for as long, so that either change has time to
// arrive everywhere.
void spec_rotation_complete(struct spec_reader *reader, struct rotation_spec *rotation);
