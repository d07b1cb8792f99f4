/* wire/limits.h -- every bound that more than one module must agree on.
 * A bound that only one module knows stands in that module. Source: docs/PROTOCOL.md 2. */
#ifndef WIRE_LIMITS_H
#define WIRE_LIMITS_H

enum {
    LIMIT_ENTRY = 65535,         /* bytes of one entry (tlog-tiles) */
    LIMIT_RECORD = 16384,        /* bytes of one record entry */
    LIMIT_DEPTH = 16,            /* nesting of any canonical document */
    LIMIT_BATCH_ENTRIES = 4096,  /* entries of one batch */
    LIMIT_BATCH_RAW = 1 << 20,   /* uncompressed bytes of one batch, length prefixes included */
    LIMIT_BLOCK_BATCHES = 256,   /* batches of one block */
    LIMIT_BLOCK_ENTRIES = 65536, /* entries of one block */
    LIMIT_BLOCK_BODY = 4 << 20,  /* bytes of a block's body, as carried */
    LIMIT_BLOCK_RAW = 16 << 20,  /* uncompressed bytes of a block's entries */
    LIMIT_MESSAGE = 8 << 20,     /* bytes of one message between nodes */
    LIMIT_VALIDATORS_MIN = 4,    /* of a channel */
    LIMIT_VALIDATORS = 16,
    LIMIT_MEMBERS = 256, /* nodes of a channel, validators included */
    LIMIT_NODES = 4096,  /* of a network */
    LIMIT_ORGS = 1024,
    LIMIT_CHANNELS = 1024,
    LIMIT_NAME = 64,                /* bytes of an id: organisation, node, channel, network */
    LIMIT_CLOCK_AHEAD_MS = 5000,    /* a block's time may be this far past the own clock */
    LIMIT_RECORD_AHEAD_MS = 300000, /* a record's time may be this far past its block's time */
    LIMIT_POOL_BATCHES = 256,       /* a submitter's window: batches not yet final */
    LIMIT_POOL_BYTES = 32 << 20     /* ... and their bytes as carried */
};

#endif
