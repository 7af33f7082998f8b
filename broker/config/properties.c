#include "config/properties.h"

struct properties_reader {
	struct slice text;
	size_t at;
	unsigned line;
	char *key, *value; /* each with room for the whole text */
	struct failure *failure;
};

static int peek(const struct properties_reader *r)
{
	return r->at < r->text.n ? r->text.p[r->at] : -1;
}

static bool is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\f';
}

static bool is_line_end(int c)
{
	return c == '\n' || c == '\r' || c == -1;
}

/* Over one line end: \n, \r or \r\n. */
static void skip_line_end(struct properties_reader *r)
{
	if (peek(r) == '\r') {
		r->at++;
		if (peek(r) == '\n')
			r->at++;
	} else if (peek(r) == '\n') {
		r->at++;
	}
	r->line++;
}

static void skip_blanks(struct properties_reader *r)
{
	while (is_blank(peek(r)))
		r->at++;
}

static size_t put_utf8(char *out, unsigned code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	out[0] = (char)(0xe0 | code >> 12);
	out[1] = (char)(0x80 | (code >> 6 & 0x3f));
	out[2] = (char)(0x80 | (code & 0x3f));
	return 3;
}

/* The four digits behind \u. */
static enum status read_unicode(struct properties_reader *r, unsigned *ret_code)
{
	unsigned code = 0;
	for (int i = 0; i < 4; i++) {
		int c = peek(r);
		int digit = c >= '0' && c <= '9' ? c - '0'
			: c >= 'a' && c <= 'f'   ? c - 'a' + 10
			: c >= 'A' && c <= 'F'   ? c - 'A' + 10
						 : -1;
		if (digit < 0)
			return failure_set(r->failure, STATUS_INVALID_CONFIG, "line %u: \\u must be followed by four hexadecimal digits",
				r->line);
		code = code * 16 + (unsigned)digit;
		r->at++;
	}
	if (code == 0)
		return failure_set(r->failure, STATUS_INVALID_CONFIG, "line %u: a NUL character is not allowed", r->line);
	*ret_code = code;
	return STATUS_OK;
}

/* What follows a backslash. A line end: the line goes on with the next, without its leading blanks. */
static enum status read_escape(struct properties_reader *r, char *out, size_t *at)
{
	int c = peek(r);
	if (is_line_end(c)) {
		skip_line_end(r);
		skip_blanks(r);
		return STATUS_OK;
	}
	if (c == 0)
		return STATUS_OK; /* the caller refuses it */
	r->at++;
	if (c == 'u') {
		unsigned code = 0;
		TRY(read_unicode(r, &code));
		*at += put_utf8(out + *at, code);
		return STATUS_OK;
	}
	static const char from[] = "tnrf", to[] = "\t\n\r\f";
	const char *known = strchr(from, c);
	out[(*at)++] = known != NULL ? to[known - from] : (char)c;
	return STATUS_OK;
}

/* Up to the end of the line, or for a key up to the separator. */
static enum status read_text(struct properties_reader *r, bool is_key, char *out)
{
	size_t at = 0;
	for (int c; !is_line_end(c = peek(r));) {
		if (is_key && (c == '=' || c == ':' || is_blank(c)))
			break;
		if (c == 0)
			return failure_set(r->failure, STATUS_INVALID_CONFIG, "line %u: a NUL character is not allowed", r->line);
		r->at++;
		if (c == '\\')
			TRY(read_escape(r, out, &at));
		else
			out[at++] = (char)c;
		expect(at <= r->text.n);
	}
	out[at] = '\0';
	return STATUS_OK;
}

static enum status read_pair(struct properties_reader *r)
{
	TRY(read_text(r, true, r->key));
	skip_blanks(r);
	if (peek(r) == '=' || peek(r) == ':') {
		r->at++;
		skip_blanks(r);
	}
	return read_text(r, false, r->value);
}

enum status properties_parse(struct slice text, void (*pair)(void *arg, const char *key, const char *value, unsigned line),
	void *arg, struct failure *ret_failure)
{
	struct properties_reader r = {.text = text, .line = 1, .failure = ret_failure};
	r.key = check_alloc(text.n + 1);
	r.value = check_alloc(text.n + 1);
	enum status s = STATUS_OK;
	while (s == STATUS_OK && peek(&r) != -1) {
		skip_blanks(&r);
		if (peek(&r) == '#' || peek(&r) == '!') {
			while (!is_line_end(peek(&r)))
				r.at++;
		} else if (!is_line_end(peek(&r))) {
			unsigned line = r.line;
			s = read_pair(&r);
			if (s == STATUS_OK)
				pair(arg, r.key, r.value, line);
		}
		if (s == STATUS_OK)
			skip_line_end(&r);
	}
	free(r.key);
	free(r.value);
	return s;
}
