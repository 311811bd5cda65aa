// What may be key material in a text. For server_words*.c only.
#pragma once

#include "base/span.h"

// The end of the run at `at` of what base64, its form for URLs, and hexadecimal are made of, and names, too;
// `at` if there is none. A run ends before the dashes of a PEM header, which may follow without a space.
const char *server_words_skip_run(const char *at);

// What may be key material at `at`, the beginning of a run: PEM, a list of bytes, or a run that is no name.
// Empty if it is none.
struct span server_words_find_key(const char *at);
