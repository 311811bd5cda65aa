// The reason that the Event about the Lease gives.
#pragma once

#define REASON_LEADER_ELECTION "LeaderElection"
