// A CA changes its key or its name, and nobody is cut off: what it has issued learns of its next root before
// that is used, is issued anew in turns, and the earlier root stays until nothing is left that needs it.
#pragma once

#include "reconcile/reconcile.h"

// Who trusts the versions of r's output: all that was issued by it, by what it has issued, and so on.
struct rollover_survey {
    uint32_t needed;    // which of the kept versions somebody still needs, a bit for each
    bool is_unheard_of; // somebody's roots are not yet those that r's output gives
};

// Asks the watched objects; no request is sent. Where some of them are not watched each version is needed.
// bundle: the digest of the roots that r's output gives; NULL: not known.
void rollover_survey(const struct reconcile *r, const struct versions *versions, const char *bundle,
                     struct rollover_survey *ret_survey);

// Of an output that was made from earlier inputs and waits for its turn: notes in the report when that comes.
// All that wait for the same take turns of a second, within RENEWAL_SPREAD_S and a quarter of what is left of
// its life; a time that the status has named before stays.
void rollover_note_turn(struct reconcile *r);

// Whether the lists of the output change since an input gives other roots than the status tells of.
bool rollover_is_news(const struct reconcile *r);
