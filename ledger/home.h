/* ledger/home.h -- a node's directory: who may use it, and for which network.
 * Owns: home/lock (flock, held as long as the process lives), home/version, home/network (fingerprint).
 * Invariants: H1 one process at a time; H2 a home is of one network for ever; H3 directories are 0700 and their
 * creation is durable before anything in them counts. Source: docs/PROTOCOL.md 10. */
#ifndef LEDGER_HOME_H
#define LEDGER_HOME_H

#include "wire/digest.h"
#include "wire/err.h"

struct home;

enum { HOME_VERSION = 1 };

/* Makes the home (all missing directories, 0700) or opens it, and locks it. With network NULL the fingerprint is
 * neither checked nor written (a node that has only its keys). LOCKED: another process has it (its pid is in the
 * text). WRONG_NETWORK. UNSUPPORTED: another version. IO, NO_SPACE. */
enum err_code home_open(const char *path, const struct digest *network, struct home **out, struct err *e) ERR_CHECKED;
void home_close(struct home *h); /* unlocks; NULL is fine */
const char *home_path(const struct home *h);
/* Binds an unbound home to its network; WRONG_NETWORK when bound to another. */
enum err_code home_bind(struct home *h, const struct digest *network, struct err *e) ERR_CHECKED;

/* mkdir -p with mode 0700; each new directory and its parent are synced. */
enum err_code home_mkdirs(const char *path, struct err *e) ERR_CHECKED;
/* fsync of a directory, so that names in it are durable. */
enum err_code home_sync_dir(const char *path, struct err *e) ERR_CHECKED;
/* A whole small file replaced atomically: temporary, sync, rename, directory sync. mode as for open(2). */
enum err_code home_write_file(const char *path, struct slice bytes, unsigned mode, struct err *e) ERR_CHECKED;
/* Raises the soft limit of open files towards `want` (or the hard limit); *got is what holds now. */
enum err_code home_raise_files(unsigned long want, unsigned long *got, struct err *e) ERR_CHECKED;

/* Has the file system under `path` less than a megabyte left? LMDB calls a write that was cut short by a full disk an
 * input/output error. */
bool home_disk_full(const char *path);

#endif
