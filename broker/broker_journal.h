/* The coordinator's journal of a broker without ZooKeeper: one file through storage/disk. */
#ifndef BROKER_JOURNAL_H
#define BROKER_JOURNAL_H

#include "coordinator-client/zk_tree.h"
#include "storage/disk.h"

struct broker_journal;
/* path: created when first written. */
struct broker_journal *broker_journal_new(struct disk *disk, const char *path);
void broker_journal_free(struct broker_journal *j);
struct zk_journal *broker_journal_table(struct broker_journal *j);

#endif
