// PEM as people have it: pasted behind other text, with line ends of another system, folded into one line by
// a tool, with one block right behind the other. OpenSSL reads only what stands in lines as RFC 7468 has it.
#pragma once

#include "base/buffer.h"

// Makes *ret_text a copy of length bytes in which each block has that form: its two boundaries and each 64
// characters of its base64 are a line. What is between blocks, and a block that holds anything but base64 and
// white space, is left as it is. One that is behind anything but white space or another block in its line, as
// in a comment, is no block in the copy either: a space parts its first boundary there. Time and size are
// linear in length; owned. Errors: NO_MEMORY.
[[nodiscard]] bool pem_form_normalize(const void *bytes, size_t length, struct buffer *ret_text,
                                      struct error *e);
