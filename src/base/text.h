// Text as UTF-8.
#pragma once

// Overwrites each byte that is no part of valid UTF-8 (RFC 3629), such as a character that was cut in the
// middle, with a question mark, so that text can become JSON.
void text_make_valid(char *text);
