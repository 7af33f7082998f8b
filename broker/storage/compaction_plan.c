#include "storage/compaction_plan.h"

/* Checkpointed offsets may be older than the log's start or, after a loss, newer than its end. */
static int64_t first_dirty(const struct compaction_view *v)
{
	bool usable = v->first_dirty_offset >= v->log_start_offset && v->first_dirty_offset <= v->log_end_offset;
	return usable ? v->first_dirty_offset : v->log_start_offset;
}

static int64_t segment_end(const struct compaction_view *v, size_t i)
{
	return i + 1 < v->count ? v->segments[i + 1].base_offset : v->log_end_offset;
}

/* The first segment that must stay as it is. */
static size_t end_segment(const struct compaction_view *v, int64_t dirty)
{
	size_t active = v->count - 1;
	for (size_t i = 0; i < active; i++) {
		const struct compaction_segment *s = &v->segments[i];
		bool young = v->min_lag_ms > 0 && segment_end(v, i) > dirty && v->now_ms - s->last_append_ms < v->min_lag_ms;
		if (!s->synced || young || segment_end(v, i) > v->stable_offset)
			return i;
	}
	return active;
}

/* Has the oldest dirty record waited for longer than it may? The active segment counts: it rolls in time for that. */
static bool overdue(const struct compaction_view *v, const struct compaction_plan *p)
{
	for (size_t i = 0; i < p->end_segment; i++) {
		if (segment_end(v, i) > p->first_dirty_offset && v->segments[i].size_bytes > 0)
			return v->now_ms - v->segments[i].first_append_ms > v->max_lag_ms;
	}
	return false;
}

void compaction_plan_make(const struct compaction_view *v, struct compaction_plan *ret_plan)
{
	expect(v->count > 0 && v->log_start_offset <= v->log_end_offset);
	struct compaction_plan p = {.first_dirty_offset = first_dirty(v)};
	p.end_segment = end_segment(v, p.first_dirty_offset);
	p.end_offset = v->segments[p.end_segment].base_offset;
	for (size_t i = 0; i < p.end_segment; i++) {
		if (segment_end(v, i) <= p.first_dirty_offset)
			p.clean_bytes += v->segments[i].size_bytes;
		else
			p.dirty_bytes += v->segments[i].size_bytes;
	}
	if (p.dirty_bytes > 0)
		p.dirty_ratio = (double)p.dirty_bytes / (double)(p.clean_bytes + p.dirty_bytes);
	p.due = p.dirty_bytes > 0 && p.end_offset > p.first_dirty_offset && (p.dirty_ratio > v->min_dirty_ratio || overdue(v, &p));
	*ret_plan = p;
}

size_t compaction_plan_group(const struct compaction_segment *segments, size_t count, const struct compaction_group_limits *l)
{
	expect(count > 0);
	int64_t bytes = segments[0].size_bytes;
	int64_t offset_index = segments[0].offset_index_bytes, time_index = segments[0].time_index_bytes;
	size_t n = 1;
	for (; n < count; n++) {
		const struct compaction_segment *s = &segments[n];
		int64_t end = n + 1 < count ? s[1].base_offset : l->end_offset;
		bytes += s->size_bytes;
		offset_index += s->offset_index_bytes;
		time_index += s->time_index_bytes;
		if (bytes > l->segment_bytes || offset_index > l->index_bytes || time_index > l->index_bytes ||
			end - 1 - segments[0].base_offset > INT32_MAX)
			break;
	}
	return n;
}
