// What the API server, or a webhook or policy behind it, says of a refusal. Anybody may have written it, and
// it may quote what it refused: it is made harmless before it reaches a status, an Event, the log or a
// terminal.
#pragma once

enum { SERVER_WORDS_SIZE = 256 + 1 }; // bytes, with the NUL

// A text of one line of at most 256 bytes of UTF-8, cut with "..." if need be. Control characters and line
// ends become spaces, and what may be key material becomes "[removed]": PEM, base64, hexadecimal, bytes as
// numbers or escapes. Names, words, numbers and UUIDs stay. (What a Secret holds that looks like words cannot
// be told from words.)
void server_words_clean(const char *text, char ret_words[SERVER_WORDS_SIZE]);

// Whether two texts say the same but for what varies from try to try: numbers, times, identifiers (what has a
// digit in it) and the random end of a generated name.
[[nodiscard]] bool server_words_are_alike(const char *one, const char *other);
