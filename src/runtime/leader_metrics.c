#include "runtime/leader_metrics.h"

const struct metric metric_leader_status = {
    "leader_election_master_status", "1 on the replica that holds the lease, 0 on the others", METRIC_GAUGE};
const struct metric metric_leader_slowpath_total = {
    "leader_election_slowpath_total", "Renewals of the lease that needed a read before them", METRIC_COUNTER};
