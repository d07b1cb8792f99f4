/* tests/demo/isolation.c -- does anything of one channel lie with a node that is no member of it?
 *   isolation hashes HOME CHANNEL                      every hash of the channel, one a line: KIND <tab> hex
 *   isolation search VALUES HOME... [--capture FILE...]  searches for the values of the file VALUES (lines as above;
 *                                                      kind "text": the value itself), prints one JSON document
 * Searched: every file of the homes as it lies there (free pages of the databases included), every key and value of
 * every database, all zstd frames found in any of these (blocks, batches), the index' packed terms, the vault's logs
 * decrypted, and each captured message. Hashes are looked for by their first 8 bytes, raw, in hex and in base64, so
 * that shortened ones are found too. The nodes must be stopped. */
#include "ledger/chain_reader.h"
#include "ledger/index_inner.h"
#include "ledger/vault.h"
#include "wire/mem.h"
#include "wire/tap.h"

#include <ftw.h>
#include <lmdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

enum {
    ISOLATION_HASH = 8,  /* bytes of a hash that are looked for */
    ISOLATION_LEAST = 4, /* bytes of the shortest pattern */
    ISOLATION_DEPTH = 3, /* zstd frames in zstd frames */
    ISOLATION_FRAME = 64 << 20,
    ISOLATION_PATH = 4096,
    ISOLATION_KINDS = 32,
    ISOLATION_SLOTS = 1 << 20
};

struct pattern {
    struct pattern *next;
    size_t value; /* which of the values it is a form of */
    size_t len;
    uint8_t bytes[];
};
struct value {
    char kind[16], text[256];
    bool found;
};
struct search {
    struct pattern **slots;
    uint8_t *seen; /* a bit for each first two bytes of a pattern: most places are dismissed by it */
    struct value *values;
    size_t count, room;
    uint64_t bytes, files, databases, stored, terms, logs, messages, frames, hits;
    char first[512]; /* where the first find was */
    const char *where;
};

/* ---- patterns ---- */

static uint32_t pattern_slot(const uint8_t *p) {
    uint32_t x = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    return (x * 2654435761u) >> 12 & (ISOLATION_SLOTS - 1);
}

static void pattern_add(struct search *s, size_t value, const void *bytes, size_t len) {
    struct pattern *p = len < ISOLATION_LEAST ? NULL : mem_alloc(sizeof *p + len);
    uint32_t slot;
    if (!p) {
        fprintf(stderr, "isolation: a value is too short, or memory is\n");
        exit(2);
    }
    p->value = value;
    p->len = len;
    memcpy(p->bytes, bytes, len);
    slot = pattern_slot(p->bytes);
    p->next = s->slots[slot];
    s->slots[slot] = p;
    s->seen[(p->bytes[0] << 8 | p->bytes[1]) >> 3] |= (uint8_t)(1u << (p->bytes[1] & 7));
}

static void value_add(struct search *s, const char *kind, const char *text) {
    struct value *v;
    uint8_t raw[32];
    char base64[64];
    size_t n = 0;
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 1024;
        if (!(s->values = mem_realloc(s->values, s->room * sizeof *s->values)))
            exit(2);
    }
    v = &s->values[s->count];
    *v = (struct value){0};
    snprintf(v->kind, sizeof v->kind, "%.15s", kind);
    snprintf(v->text, sizeof v->text, "%.255s", text);
    if (strcmp(kind, "text") == 0) {
        pattern_add(s, s->count++, text, strlen(text));
        return;
    }
    if (sodium_hex2bin(raw, sizeof raw, text, strlen(text), NULL, &n, NULL) != 0 || n != sizeof raw) {
        fprintf(stderr, "isolation: \"%s\" is no hash\n", text);
        exit(2);
    }
    sodium_bin2base64(base64, sizeof base64, raw, sizeof raw, sodium_base64_VARIANT_ORIGINAL);
    pattern_add(s, s->count, raw, ISOLATION_HASH);
    pattern_add(s, s->count, text, ISOLATION_HASH * 2);
    pattern_add(s, s->count++, base64, ISOLATION_HASH * 8 / 6);
}

static void values_read(struct search *s, const char *path) {
    char line[512], *tab;
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        exit(2);
    }
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        if ((tab = strchr(line, '\t'))) {
            *tab = 0;
            value_add(s, line, tab + 1);
        }
    }
    fclose(f);
}

/* ---- searching ---- */

static void search_plain(struct search *s, struct slice b) {
    size_t i;
    const struct pattern *p;
    s->bytes += b.len;
    for (i = 0; i + ISOLATION_LEAST <= b.len; i++) {
        if (!(s->seen[(b.ptr[i] << 8 | b.ptr[i + 1]) >> 3] >> (b.ptr[i + 1] & 7) & 1))
            continue;
        for (p = s->slots[pattern_slot(b.ptr + i)]; p; p = p->next)
            if (p->len <= b.len - i && memcmp(p->bytes, b.ptr + i, p->len) == 0) {
                struct value *v = &s->values[p->value];
                if (s->hits++ == 0)
                    snprintf(s->first, sizeof s->first, "%s %.100s in %.300s", v->kind, v->text, s->where);
                v->found = true;
            }
    }
}

static void search_bytes(struct search *s, struct slice b, unsigned depth);

/* What a zstd frame that begins here holds, as far as it can be read. */
static void search_frame(struct search *s, struct slice b, unsigned depth) {
    ZSTD_DStream *z = ZSTD_createDStream();
    ZSTD_inBuffer in = {b.ptr, b.len, 0};
    struct buf out;
    size_t rc = 1;
    buf_init(&out, ISOLATION_FRAME);
    while (z && rc != 0 && !ZSTD_isError(rc)) {
        size_t room = ZSTD_DStreamOutSize(), before = in.pos;
        uint8_t *to = buf_extend(&out, room);
        ZSTD_outBuffer o = {to, room, 0};
        if (!to)
            break;
        rc = ZSTD_decompressStream(z, &o, &in);
        out.len -= room - o.pos;
        if (o.pos == 0 && in.pos == before)
            break;
    }
    ZSTD_freeDStream(z);
    if (!out.failed && out.len) {
        s->frames++;
        search_bytes(s, buf_slice(&out), depth + 1);
    }
    buf_release(&out);
}

static void search_bytes(struct search *s, struct slice b, unsigned depth) {
    static const uint8_t magic[] = {0x28, 0xB5, 0x2F, 0xFD};
    const uint8_t *at = b.ptr, *end = b.len ? b.ptr + b.len : NULL;
    search_plain(s, b);
    while (depth < ISOLATION_DEPTH && at && at < end && (at = memmem(at, (size_t)(end - at), magic, sizeof magic))) {
        search_frame(s, slice_of(at, (size_t)(end - at)), depth);
        at += sizeof magic;
    }
}

/* ---- databases ---- */

static void search_table(struct search *s, MDB_txn *t, MDB_dbi dbi) {
    MDB_cursor *c;
    MDB_val k, v;
    if (mdb_cursor_open(t, dbi, &c) != 0)
        return;
    while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
        search_bytes(s, slice_of(k.mv_data, k.mv_size), 0);
        search_bytes(s, slice_of(v.mv_data, v.mv_size), 0);
        s->stored++;
    }
    mdb_cursor_close(c);
}

static void search_database(struct search *s, const char *dir) {
    MDB_env *env = NULL;
    MDB_txn *t = NULL;
    MDB_cursor *c = NULL;
    MDB_dbi names, dbi;
    MDB_val k, v;
    char name[128];
    if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 64) != 0 ||
        mdb_env_open(env, dir, MDB_RDONLY | MDB_NOLOCK, 0600) != 0 || mdb_txn_begin(env, NULL, MDB_RDONLY, &t) != 0 ||
        mdb_dbi_open(t, NULL, 0, &names) != 0 || mdb_cursor_open(t, names, &c) != 0) {
        fprintf(stderr, "isolation: cannot read the database in %s\n", dir);
        exit(2);
    }
    s->databases++;
    while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
        snprintf(name, sizeof name, "%.*s", (int)k.mv_size, (const char *)k.mv_data);
        if (mdb_dbi_open(t, name, 0, &dbi) == 0)
            search_table(s, t, dbi);
    }
    mdb_cursor_close(c);
    mdb_txn_abort(t);
    mdb_env_close(env);
}

/* The terms of an index share prefixes with their neighbours: only unpacked they can be found. */
static void search_index(struct search *s, const char *dir) {
    struct index_store store;
    struct index_state state;
    struct index_segment *list = NULL;
    struct index_pack_reader r;
    MDB_txn *t = NULL;
    bool remade = false;
    uint32_t count = 0, i;
    struct err e = {0};
    if (index_store_open(&store, dir, 0, &remade, &e) != ERR_OK || remade ||
        index_store_read(&store, &t, &e) != ERR_OK) {
        fprintf(stderr, "isolation: %s: %s\n", dir, remade ? "the index was damaged" : e.text);
        exit(2);
    }
    if (index_store_state(&store, t, &state, &e) == ERR_OK &&
        index_segment_list(&store, t, state.entries, &list, &count, &e) == ERR_OK)
        for (i = 0; i < count; i++) {
            if (index_pack_open(&r, &store, t, list[i].id, &e) != ERR_OK)
                continue;
            while (index_pack_next(&r, &e) == ERR_OK && !r.end) {
                search_bytes(s, slice_of(r.term, r.term_len), 0);
                s->terms++;
            }
            index_pack_close(&r);
        }
    mem_free(list);
    index_store_read_end(&store, t);
    index_store_close(&store);
}

struct vault_list {
    struct digest *hashes;
    size_t count, room;
};
static bool vault_note(void *ctx, const struct digest *hash, const struct vault_meta *m) {
    struct vault_list *l = ctx;
    (void)m;
    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : 1024;
        if (!(l->hashes = mem_realloc(l->hashes, l->room * sizeof *l->hashes)))
            exit(2);
    }
    l->hashes[l->count++] = *hash;
    return true;
}

static void search_vault(struct search *s, const char *home, const char *dir) {
    char path[ISOLATION_PATH];
    struct vault_list l = {0};
    struct vault *v = NULL;
    uint8_t *key = NULL;
    struct buf raw;
    struct err e = {0};
    size_t i;
    buf_init(&raw, VAULT_GET_MAX);
    snprintf(path, sizeof path, "%s/keys/vault.key", home);
    if (vault_key_load(path, &key, &e) != ERR_OK || vault_open(dir, key, &v, &e) != ERR_OK ||
        vault_each(v, vault_note, &l, &e) != ERR_OK) {
        fprintf(stderr, "isolation: %s: %s\n", dir, e.text);
        exit(2);
    }
    for (i = 0; i < l.count; i++) {
        struct vault_item item;
        enum vault_state state;
        if (vault_get(v, &l.hashes[i], &state, &raw, &item, &e) == ERR_OK && state == VAULT_FOUND) {
            search_bytes(s, item.raw, 0);
            s->logs++;
        }
    }
    mem_free(l.hashes);
    vault_close(v);
    sodium_free(key);
    buf_release(&raw);
}

/* ---- homes and captures ---- */

/* nftw takes no context. One search a process, one thread. */
static struct search *walk_search;
static const char *walk_home;

static bool ends(const char *text, const char *with) {
    size_t n = strlen(text), m = strlen(with);
    return n >= m && strcmp(text + n - m, with) == 0;
}

static int walk_file(const char *path, const struct stat *st, int type, struct FTW *at) {
    struct search *s = walk_search;
    char dir[ISOLATION_PATH];
    uint8_t *bytes;
    FILE *f;
    size_t n;
    (void)at;
    if (type != FTW_F || !S_ISREG(st->st_mode) || strstr(path, "lock.mdb"))
        return 0;
    s->where = path;
    f = fopen(path, "rb");
    bytes = mem_alloc((size_t)st->st_size + 1);
    if (!f || !bytes) {
        perror(path);
        exit(2);
    }
    n = fread(bytes, 1, (size_t)st->st_size, f);
    fclose(f);
    search_bytes(s, slice_of(bytes, n), 0);
    mem_free(bytes);
    s->files++;
    if (!ends(path, "/data.mdb"))
        return 0;
    snprintf(dir, sizeof dir, "%.*s", (int)(strlen(path) - strlen("/data.mdb")), path);
    search_database(s, dir);
    if (ends(dir, "/index"))
        search_index(s, dir);
    if (ends(dir, "/vault"))
        search_vault(s, walk_home, dir);
    return 0;
}

static void search_message(void *ctx, const char *peer, enum link_direction direction, struct slice bytes) {
    struct search *s = ctx;
    (void)peer, (void)direction;
    s->messages++;
    search_bytes(s, bytes, 0);
}

static void search_print(const struct search *s) {
    char kinds[ISOLATION_KINDS][16];
    uint64_t found[ISOLATION_KINDS] = {0}, of[ISOLATION_KINDS] = {0}, all = 0;
    size_t i, k, n = 0;
    for (i = 0; i < s->count; i++) {
        for (k = 0; k < n && strcmp(kinds[k], s->values[i].kind) != 0; k++)
            ;
        if (k == n && n < ISOLATION_KINDS)
            memcpy(kinds[n++], s->values[i].kind, sizeof kinds[0]);
        if (k < n) {
            found[k] += s->values[i].found;
            of[k]++;
        }
        all += s->values[i].found;
    }
    printf("{\"bytes\":%llu,\"databases\":%llu,\"files\":%llu,\"found\":%llu,\"frames\":%llu,\"hits\":%llu,",
           (unsigned long long)s->bytes, (unsigned long long)s->databases, (unsigned long long)s->files,
           (unsigned long long)all, (unsigned long long)s->frames, (unsigned long long)s->hits);
    printf("\"first\":\"%s\",\"kinds\":{", s->first);
    for (k = 0; k < n; k++)
        printf("%s\"%s\":[%llu,%llu]", k ? "," : "", kinds[k], (unsigned long long)found[k], (unsigned long long)of[k]);
    printf("},\"logs\":%llu,\"messages\":%llu,\"missing\":[", (unsigned long long)s->logs,
           (unsigned long long)s->messages);
    for (i = 0, n = 0; i < s->count && n < 5; i++)
        if (!s->values[i].found)
            printf("%s\"%s %s\"", n++ ? "," : "", s->values[i].kind, s->values[i].text);
    printf("],\"stored\":%llu,\"terms\":%llu,\"values\":%zu}\n", (unsigned long long)s->stored,
           (unsigned long long)s->terms, s->count);
}

static int search_run(int argc, char **argv) {
    struct search s = {.where = ""};
    struct err e = {0};
    bool capture = false;
    int i;
    s.slots = mem_zalloc(ISOLATION_SLOTS, sizeof *s.slots);
    s.seen = mem_zalloc(65536 / 8, 1);
    if (!s.slots || !s.seen)
        return 2;
    values_read(&s, argv[2]);
    walk_search = &s;
    for (i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--capture") == 0) {
            capture = true;
        } else if (capture) {
            s.where = argv[i];
            if (tap_read(argv[i], search_message, &s, &e) != ERR_OK) {
                fprintf(stderr, "isolation: %s: %s\n", argv[i], e.text);
                return 2;
            }
        } else {
            walk_home = argv[i];
            if (nftw(argv[i], walk_file, 16, FTW_PHYS) != 0)
                return 2;
        }
    }
    search_print(&s);
    return 0;
}

/* ---- the hashes of a channel ---- */

static void hash_print(const char *kind, const uint8_t *hash) {
    char hex[2 * DIGEST_SIZE + 1];
    sodium_bin2hex(hex, sizeof hex, hash, DIGEST_SIZE);
    printf("%s\t%s\n", kind, hex);
}

static enum err_code hash_entry(void *ctx, const struct chain_reader_entry *x, struct err *e) {
    (void)ctx, (void)e;
    hash_print("entry", x->leaf.b);
    if (x->index == 0)
        hash_print("batch root", x->batch.root.b);
    return ERR_OK;
}

static int hashes_run(const char *home, const char *channel) {
    char path[ISOLATION_PATH];
    struct store *store = NULL;
    struct chain_reader *r = NULL;
    struct chain_block b;
    struct err e = {0};
    uint64_t h;
    snprintf(path, sizeof path, "%s/channels/%s/ledger", home, channel);
    if (store_open_lmdb(path, &(struct store_options){0}, &store, &e) != ERR_OK ||
        chain_reader_open(store, &r, &e) != ERR_OK ||
        chain_reader_each(r, 0, chain_reader_tip(r)->tree_size, hash_entry, NULL, &e) != ERR_OK)
        goto out;
    for (h = 1; h <= chain_reader_tip(r)->height; h++) {
        if (chain_reader_block(r, h, &b, &e) != ERR_OK)
            goto out;
        hash_print("block", b.hash.b);
        hash_print("tree root", b.header.tree_root.b);
    }
    chain_reader_close(r);
    store_close(store);
    return 0;
out:
    fprintf(stderr, "isolation: %s: %s\n", path, e.text);
    return 2;
}

int main(int argc, char **argv) {
    if (sodium_init() < 0)
        return 2;
    if (argc == 4 && strcmp(argv[1], "hashes") == 0)
        return hashes_run(argv[2], argv[3]);
    if (argc >= 4 && strcmp(argv[1], "search") == 0)
        return search_run(argc, argv);
    fprintf(stderr, "usage: isolation hashes HOME CHANNEL | isolation search VALUES HOME... [--capture FILE...]\n");
    return 2;
}
