#include "storage/checkpoint_text.h"

static enum status next_line(struct checkpoint_text *t, struct slice *ret_line)
{
	expect(t->at <= t->text.n);
	size_t left = t->text.n - t->at;
	if (left == 0)
		return STATUS_CORRUPT;
	const uint8_t *from = t->text.p + t->at;
	const uint8_t *end = memchr(from, '\n', left);
	if (end == NULL)
		return STATUS_CORRUPT;
	*ret_line = slice_of(from, (size_t)(end - from));
	t->at += ret_line->n + 1;
	return STATUS_OK;
}

enum status checkpoint_text_begin(struct checkpoint_text *t, struct slice text)
{
	*t = (struct checkpoint_text){.text = text};
	struct slice line;
	int64_t version;
	TRY(next_line(t, &line));
	if (bytes_parse_i64(line, &version) != STATUS_OK || version != 0)
		return STATUS_CORRUPT;
	TRY(next_line(t, &line));
	if (bytes_parse_i64(line, &t->count) != STATUS_OK || t->count < 0)
		return STATUS_CORRUPT;
	return STATUS_OK;
}

enum status checkpoint_text_next(struct checkpoint_text *t, struct slice *ret_fields, size_t n)
{
	expect(n > 0);
	struct slice line;
	TRY(next_line(t, &line));
	size_t from = 0;
	for (size_t i = 0; i < n; i++) {
		size_t to = from;
		while (to < line.n && line.p[to] != ' ')
			to++;
		/* The last field must take the rest of the line, the others must be followed by a blank. */
		if (to == from || (to == line.n) != (i == n - 1))
			return STATUS_CORRUPT;
		ret_fields[i] = slice_sub(line, from, to - from);
		from = to + 1;
	}
	return STATUS_OK;
}

bool checkpoint_text_ended(const struct checkpoint_text *t)
{
	return t->at == t->text.n;
}
