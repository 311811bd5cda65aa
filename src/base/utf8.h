// UTF-8 (RFC 3629).
#pragma once

// Overwrites each byte that is no part of valid UTF-8, such as a character that was cut in the middle, with a
// question mark, so that text can become JSON.
void utf8_make_valid(char *text);
