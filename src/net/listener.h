// Listening sockets.
#pragma once

#include "base/error.h"

// A socket, not blocking, that listens on "host:port", "[v6]:port" or ":port" (all interfaces); port 0: any
// free one. *ret_fd is owned. Errors: INVALID_SPEC (address), IO (cannot bind).
[[nodiscard]] bool listener_open(const char *address, int *ret_fd, struct error *e);

// The port that it listens on.
uint16_t listener_port(int fd);
