#include "base/duration.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

bool duration_parse(const char *text, int64_t *ret_seconds) {
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'h', 3600}, {'m', 60}, {'s', 1}};
    static const int64_t most = (INT64_C(1) << 53) - 1; // a number of 16 digits
    int64_t total = 0;
    size_t next_unit = 0; // units come in this order, each once
    while (*text != '\0') {
        char *end;
        size_t digits = strspn(text, "0123456789");
        int64_t number = digits > 0 && digits <= 16 ? strtoll(text, &end, 10) : -1;
        if (number < 0) {
            return false;
        }
        while (next_unit < sizeof(units) / sizeof(units[0]) && units[next_unit].unit != *end) {
            next_unit++;
        }
        if (next_unit == sizeof(units) / sizeof(units[0]) ||
            number > (most - total) / units[next_unit].seconds) {
            return false;
        }
        total += number * units[next_unit++].seconds;
        text = end + 1;
    }
    if (next_unit > 0) {
        *ret_seconds = total;
    }
    return next_unit > 0;
}
