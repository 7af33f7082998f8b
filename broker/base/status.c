#include "base/status.h"

#include <stdarg.h>

static const struct {
	const char *name, *text;
	int16_t code;
	bool retriable;
} rows[STATUS_COUNT] = {
#define STATUS(name_, code_, retriable_, text_)                                                                        \
	[STATUS_##name_] = {.name = #name_, .text = (text_), .code = (code_), .retriable = (retriable_) != 0},
#include "base/status.def"
#undef STATUS
};

const char *status_name(enum status s)
{
	expect((unsigned)s < STATUS_COUNT);
	return rows[s].name;
}

const char *status_text(enum status s)
{
	expect((unsigned)s < STATUS_COUNT);
	return rows[s].text;
}

int16_t status_code(enum status s)
{
	expect((unsigned)s < STATUS_COUNT);
	return rows[s].code;
}

bool status_retriable(enum status s)
{
	expect((unsigned)s < STATUS_COUNT);
	return rows[s].retriable;
}

enum status status_from_code(int16_t code)
{
	for (unsigned s = 0; s < STATUS_COUNT; s++) {
		if (rows[s].code == code)
			return (enum status)s;
	}
	return STATUS_UNKNOWN_SERVER_ERROR;
}

enum status failure_set(struct failure *f, enum status s, const char *fmt, ...)
{
	if (f == NULL)
		return s;
	f->status = s;
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(f->text, sizeof(f->text), fmt, args);
	va_end(args);
	expect(n >= 0);
	return s;
}
