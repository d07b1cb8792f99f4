/* node/cli/files.h -- the files that founding commands read and write. All writes are whole and synced. */
#ifndef NODE_CLI_FILES_H
#define NODE_CLI_FILES_H

#include "wire/buf.h"

enum { FILES_PATH = 4096 };

/* dir + "/" + rest. USAGE when it is too long. */
enum err_code files_path(char out[FILES_PATH], const char *dir, const char *rest, struct err *e) ERR_CHECKED;
/* Makes the directory and its missing parents, mode 0700 for the last one; fine if it is there. */
enum err_code files_mkdir(const char *path, struct err *e) ERR_CHECKED;
/* A new file: CONFLICT if it is there already. */
enum err_code files_create(const char *path, struct slice bytes, struct err *e) ERR_CHECKED;
/* A new file, or the old one replaced as a whole (written beside, synced, renamed). */
enum err_code files_replace(const char *path, struct slice bytes, struct err *e) ERR_CHECKED;
/* Inits *out, at most max bytes; to be released in any case. NOT_FOUND, TOO_LARGE, IO. */
enum err_code files_read(const char *path, size_t max, struct buf *out, struct err *e) ERR_CHECKED;
bool files_exists(const char *path);

#endif
