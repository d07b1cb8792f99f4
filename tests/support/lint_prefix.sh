#!/bin/sh
# The prefix rule: what a file exports begins with the first word of the file's name. Arguments: object files.
set -u
bad=0
for o in "$@"; do
    stem=$(basename "$o" .o)
    word=${stem%%_*}
    for symbol in $(nm -g --defined-only "$o" | awk '$2 ~ /[TDBR]/ {print $3}'); do
        case $symbol in
        *_schema) ;; # the table of a document, named as the document is
        "$word" | "$word"_* | "${word}s" | "${word}s"_*) ;;
        *) echo "prefix: $o exports $symbol"; bad=1 ;;
        esac
    done
done
exit $bad
