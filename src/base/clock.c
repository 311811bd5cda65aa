#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DATE_LENGTH = sizeof("2006-01-02T15:04:05") - 1 };

static struct timespec now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time;
}

static int64_t milliseconds(clockid_t clock) {
    struct timespec time = now(clock);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(void) {
    return milliseconds(CLOCK_MONOTONIC);
}

int64_t clock_boot_ms(void) {
    return milliseconds(CLOCK_BOOTTIME);
}

double clock_monotonic_seconds(void) {
    struct timespec time = now(CLOCK_MONOTONIC);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int64_t clock_wall_seconds(void) {
    return now(CLOCK_REALTIME).tv_sec;
}

int64_t clock_wall_microseconds(void) {
    struct timespec time = now(CLOCK_REALTIME);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static size_t format_date(int64_t seconds, char text[CLOCK_TEXT_SIZE]) {
    time_t time = (time_t)seconds;
    struct tm parts;
    gmtime_r(&time, &parts);
    return strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
}

void clock_format(int64_t seconds, char ret_text[CLOCK_TEXT_SIZE]) {
    size_t used = format_date(seconds, ret_text);
    snprintf(ret_text + used, CLOCK_TEXT_SIZE - used, "Z");
}

void clock_format_micro(int64_t microseconds, char ret_text[CLOCK_TEXT_SIZE]) {
    size_t used = format_date(microseconds / 1000000, ret_text);
    snprintf(ret_text + used, CLOCK_TEXT_SIZE - used, ".%06dZ", (int)(microseconds % 1000000));
}

bool clock_parse(const char *text, int64_t *ret_seconds) {
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest == nullptr) {
        return false;
    }
    // strptime also takes blanks, too few digits and days that a month has not; what it read is written
    // otherwise then.
    int64_t seconds = timegm(&parts);
    char canonical[CLOCK_TEXT_SIZE];
    size_t length = format_date(seconds, canonical);
    if (length != DATE_LENGTH || rest - text != DATE_LENGTH || memcmp(text, canonical, length) != 0) {
        return false;
    }
    if (*rest == '.') {
        size_t digits = strspn(rest + 1, "0123456789");
        if (digits == 0) {
            return false;
        }
        rest += 1 + digits;
    }
    if (strcmp(rest, "Z") != 0) {
        return false;
    }
    *ret_seconds = seconds;
    return true;
}

int64_t clock_read(const char *text) {
    int64_t seconds = 0;
    return text != nullptr && clock_parse(text, &seconds) ? seconds : 0;
}
