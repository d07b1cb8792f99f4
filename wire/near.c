/* wire/near.c -- see near.h. No allocation. */
#include "wire/near.h"

static size_t near_min(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t near_distance(struct slice a, struct slice b) {
    size_t row[3][NEAR_WORD + 1]; /* rows i-2, i-1, i of the table, used in turn */
    size_t i, j;
    if (a.len > NEAR_WORD || b.len > NEAR_WORD)
        return NEAR_WORD + 1;
    for (j = 0; j <= b.len; j++)
        row[0][j] = j;
    for (i = 1; i <= a.len; i++) {
        size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (j = 1; j <= b.len; j++) {
            size_t same = a.ptr[i - 1] == b.ptr[j - 1] ? 0 : 1;
            now[j] = near_min(near_min(last[j] + 1, now[j - 1] + 1), last[j - 1] + same);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                now[j] = near_min(now[j], before[j - 2] + 1);
        }
    }
    return row[a.len % 3][b.len];
}

bool near_enough(struct slice a, struct slice b) {
    size_t longer = a.len > b.len ? a.len : b.len;
    size_t d = near_distance(a, b);
    return d <= (longer < 6 ? 1 : longer / 3);
}
