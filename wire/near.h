/* wire/near.h -- "did you mean": how far apart are two words? For messages only. */
#ifndef WIRE_NEAR_H
#define WIRE_NEAR_H

#include "wire/slice.h"

enum { NEAR_WORD = 64 /* longer words are far from everything */ };

/* Damerau-Levenshtein (adjacent swaps count once), in bytes; NEAR_WORD + 1 when either is longer than NEAR_WORD. */
size_t near_distance(struct slice a, struct slice b);
/* Close enough to suggest: at most a third of the longer word, at least one. */
bool near_enough(struct slice a, struct slice b);

#endif
