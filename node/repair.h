/* node/repair.h -- a damaged block of the own store is found, and replaced by a peer's copy.
 * Owner: the follower's thread reads (repair_scan), the channel's thread asks and writes (all else). Inside of a
 * channel: only node/channel*.c and node/follower.c include this. Source: docs/PROTOCOL.md 10.
 *
 *   follower: reads every stored block, a few at a time, after the start and each REPAIR_SCRUB_MS, and after each read
 *             that met damage --DAMAGED height--> channel: GET_RANGE (request id with REPAIR_REQUEST set) to one member
 *             after another --RANGE--> chain_replace_block, which takes a copy only if it has the hash that stands
 *             above it: so no trust in the peer is needed.
 * Invariants: R1 one request at a time; R2 nothing is written but a block that hashes to what was final before. */
#ifndef NODE_REPAIR_H
#define NODE_REPAIR_H

#include "ledger/chain_reader.h"

enum {
    REPAIR_QUEUE = 256, /* heights that wait; the next scan finds the others */
    REPAIR_WAIT_MS = 3000,
    REPAIR_PIECE = 32,   /* blocks read in one piece */
    REPAIR_PACE_MS = 20, /* between pieces: the scan takes little of the machine */
    REPAIR_SCRUB_MS = 6 * 3600 * 1000
};
#define REPAIR_REQUEST (1ULL << 63)

struct channel;

/* [follower] */
struct repair_scan {
    uint64_t next;   /* height to be read; 0: resting */
    uint64_t found;  /* damaged blocks, this time */
    int64_t next_ms; /* when to go on, or to begin anew */
};
/* Reads a piece if it is time. The reader has a fresh snapshot. */
void repair_scan(struct channel *c, struct repair_scan *s, struct chain_reader *r, int64_t now);
/* Some read met damage: begin anew soon. */
void repair_rescan(struct repair_scan *s, int64_t now);

/* [channel] */
struct repair {
    uint64_t heights[REPAIR_QUEUE];
    uint32_t count;
    uint64_t request; /* outstanding; 0: none */
    uint64_t next_request;
    int32_t peer;   /* last asked */
    uint32_t asked; /* members asked for the first height */
    int64_t until_ms;
};
void repair_damaged(struct channel *c, uint64_t height);
/* An answer; false if it is none of ours. */
bool repair_received(struct channel *c, int32_t from, uint64_t request, struct slice range);
void repair_tick(struct channel *c, int64_t now);
int64_t repair_deadline(const struct channel *c);

#endif
