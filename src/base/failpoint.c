#include "base/failpoint.h"

#ifdef QUBESEC_FAILPOINTS

#include "base/buffer.h"
#include "base/log.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DETAIL_SIZE = 2048, NAMES_MAX_BYTES = 1024 };

#define FAILPOINT_NAME(point, name) name,
static const char *const names[] = {FAILPOINTS(FAILPOINT_NAME)};

static struct {
    enum failpoint point;
    const char *text; // in the detail; NULL: no point is chosen
} chosen;

static bool find(const char *name, size_t length, enum failpoint *ret_point) {
    for (size_t i = 0; i < FAILPOINT_COUNT; i++) {
        if (strncmp(names[i], name, length) == 0 && names[i][length] == '\0') {
            *ret_point = (enum failpoint)i;
            return true;
        }
    }
    return false;
}

static bool refuse(const char *wanted, struct error *e) {
    cleanup_buffer struct buffer all = buffer_create(NAMES_MAX_BYTES);
    for (size_t i = 0; i < FAILPOINT_COUNT; i++) {
        if (!buffer_append_format(&all, e, " %s", names[i])) {
            return false;
        }
    }
    return error_set(e, ERROR_INVALID_SPEC, "QUBESEC_FAILPOINT=%s: there is no such point; there are:%s",
                     wanted, buffer_text(&all));
}

bool failpoints_arm(struct error *e) {
    const char *wanted = getenv("QUBESEC_FAILPOINT");
    if (wanted == nullptr) {
        return true;
    }
    size_t length = strcspn(wanted, "@");
    if (!find(wanted, length, &chosen.point)) {
        return refuse(wanted, e);
    }
    chosen.text = wanted[length] == '@' ? wanted + length + 1 : "";
    return true;
}

void failpoint_reach(enum failpoint point, const char *format, ...) {
    if (chosen.text == nullptr || point != chosen.point) {
        return;
    }
    char detail[DETAIL_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    if (strstr(detail, chosen.text) != nullptr) {
        LOG(LOG_ERROR, "failpoint", {"point", names[point]}, {"detail", detail});
        (void)kill(getpid(), SIGKILL);
    }
}

#endif
