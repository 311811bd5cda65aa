// How many processor cores this process may use.
#pragma once

// Those of its affinity mask, or fewer where its control group (cgroup v2) has a quota, rounded up; at
// least 1.
unsigned cpu_count(void);

// cores, or fewer by a quota as cpu.max has it: "QUOTA PERIOD" in microseconds or "max PERIOD". A text that
// is neither limits nothing.
unsigned cpu_count_within(unsigned cores, const char *cpu_max);
