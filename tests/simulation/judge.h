// What must hold whatever happens: looked at when an object changes, and when all has come to rest.
#pragma once

#include "cluster.h"
#include "kube/event_body.h"
#include "people.h"

void judge_begin(struct cluster *cluster);
void judge_end(void); // frees what it has noted

// Of each change, in order.
void judge_change(const struct change *change);

// Of each Event that the operator records.
void judge_event(const struct kube_object *object, const struct event_content *content);

// Whether the Secret or ConfigMap before the change was the operator's to write to, as made for thing.
bool judge_is_ours(const struct change *change, const struct thing *thing);

// The operator has had time enough, and nobody disturbs it: what statuses say is so. all_finished: every
// object has what it needs.
void judge_rest(bool all_finished);

// Something else is not as it must be.
[[gnu::format(printf, 1, 2)]] void judge_fault(const char *format, ...);

// The first fault, for people; NULL: none.
const char *judge_verdict(void);
