/* audit/semver.h -- versions of standards: "major.minor.patch" of Semantic Versioning 2.0.0, with an optional
 * pre-release ("-rc.1"); build metadata ("+...") is refused, since it has no order. Depends on: wire/. */
#ifndef AUDIT_SEMVER_H
#define AUDIT_SEMVER_H

#include "wire/slice.h"

enum { SEMVER_LEN = 32 }; /* bytes of a version's text */

bool semver_valid(struct slice v);
/* < 0, 0, > 0 by the precedence rules; both valid. */
int semver_cmp(struct slice a, struct slice b);

#endif
