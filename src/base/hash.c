#include "base/hash.h"

uint32_t hash_text(const char *text) {
    uint32_t value = 2166136261;
    for (; *text != '\0'; text++) {
        value = (value ^ (unsigned char)*text) * 16777619;
    }
    return value;
}
