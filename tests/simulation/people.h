// What people do in the cluster: they create, edit, rotate, delete, copy, restore and damage,
// and clean up at last.
#pragma once

#include "cluster.h"

enum { NAMESPACES = 2 };

// An object that there may be in each namespace.
struct thing {
    const char *kind;
    const char *name;
    const char *secret; // its output Secret's name; NULL: it has none
    const char
        *forms[2]; // the entries that hold what cannot be made again; NULL: the output can be made again
    const char *public_form; // an entry that is no secret; NULL: none
    const char *spec;        // without what people choose
};

extern const struct thing things[];
extern const size_t thing_count;
extern const char *const namespaces[NAMESPACES];

// The names that the ConfigMap of a CA, the thing "ca", has.
enum { BUNDLES = 2 };
extern const char *const bundles[BUNDLES];

// The thing whose output is of that name; NULL: none.
const struct thing *people_find_thing(const char *secret);

// Whether its kind is rotated.
bool people_may_rotate(const struct thing *thing);

// Whether it is a root CA, of which there may be several versions too.
bool people_is_root(const struct thing *thing);

// What a seed's people are like: draws it.
void people_begin(struct cluster *cluster);

// Namespaces and objects as they are at first.
void people_settle_in(void);

// One thing that somebody does. Returns what it was, for people: static or until the next.
const char *people_act(void);

// Whether the access reviews of this moment are granted.
bool people_grant(void);

// Nothing is to be rotated by the clock any more, so that all can come to rest; only on request.
void people_calm_down(void);

// At last everything is created and granted, and every Secret goes that an object complains of. Whether
// something was to be done.
bool people_clean_up(void);

// How often something was done since people_begin.
unsigned people_acts(void);
