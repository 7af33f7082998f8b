#include "tools/client/client_error.h"
#include <stdarg.h>

static const struct {
	int code;
	const char *name;
} own_codes[] = {
	{CORREIO_ERR_BUFFER_FULL, "BUFFER_FULL"},
	{CORREIO_ERR_INVALID_ARGUMENT, "INVALID_ARGUMENT"},
	{CORREIO_ERR_CLOSED, "CLOSED"},
	{CORREIO_ERR_DELIVERY_TIMEOUT, "DELIVERY_TIMEOUT"},
	{CORREIO_ERR_NO_BROKER, "NO_BROKER"},
	{CORREIO_ERR_TIMED_OUT, "TIMED_OUT"},
	{CORREIO_ERR_PROTOCOL, "PROTOCOL"},
};

const char *correio_version(void)
{
	return PACKAGE_VERSION;
}

const char *correio_error_name(int code)
{
	for (size_t i = 0; i < sizeof(own_codes) / sizeof(own_codes[0]); i++)
		if (own_codes[i].code == code)
			return own_codes[i].name;
	if (code < INT16_MIN || code > INT16_MAX)
		return "UNKNOWN";
	enum status s = status_from_code((int16_t)code);
	return status_code(s) == code ? status_name(s) : "UNKNOWN";
}

/* Kafka's codes pass; statuses of ours that a caller can act on get a code of their own. */
int client_code_of_status(enum status s)
{
	if (s == STATUS_BUFFER_FULL)
		return CORREIO_ERR_BUFFER_FULL;
	if (s == STATUS_INVALID_ARGUMENT)
		return CORREIO_ERR_INVALID_ARGUMENT;
	if (s == STATUS_CLOSED || s == STATUS_CANCELLED)
		return CORREIO_ERR_CLOSED;
	return status_code(s);
}

bool client_code_retriable(int code)
{
	if (code == CORREIO_ERR_BUFFER_FULL || code == CORREIO_ERR_NO_BROKER || code == CORREIO_ERR_TIMED_OUT)
		return true;
	if (code < INT16_MIN || code > INT16_MAX || code < -1)
		return false;
	return status_retriable(status_from_code((int16_t)code));
}

static void error_fill(struct correio_error *err, int code, bool retriable, const char *fmt, va_list args)
	__attribute__((format(printf, 4, 0)));
static void error_fill(struct correio_error *err, int code, bool retriable, const char *fmt, va_list args)
{
	if (err == NULL)
		return;
	err->code = code;
	err->retriable = retriable;
	(void)vsnprintf(err->message, sizeof(err->message), fmt, args);
}

int client_error_set(struct correio_error *err, enum status s, const char *fmt, ...)
{
	expect(s != STATUS_OK);
	int code = client_code_of_status(s);
	va_list args;
	va_start(args, fmt);
	error_fill(err, code, status_retriable(s), fmt, args);
	va_end(args);
	return code;
}

int client_error_code(struct correio_error *err, int code, bool retriable, const char *fmt, ...)
{
	expect(code != CORREIO_OK);
	va_list args;
	va_start(args, fmt);
	error_fill(err, code, retriable, fmt, args);
	va_end(args);
	return code;
}

int client_error_from_broker(struct correio_error *err, int32_t code, const char *message, const char *what)
{
	expect(code != 0);
	const char *text = message;
	if (text == NULL || text[0] == '\0') {
		bool known = code >= INT16_MIN && code <= INT16_MAX;
		enum status s = known ? status_from_code((int16_t)code) : STATUS_UNKNOWN_SERVER_ERROR;
		text = status_code(s) == code ? status_text(s) : "the broker sent an error number this client does not know";
	}
	bool retriable = client_code_retriable(code);
	if (what == NULL || what[0] == '\0')
		return client_error_code(err, code, retriable, "%s", text);
	/* The broker's message usually names the entity already. */
	if (message != NULL && strstr(message, what) != NULL)
		return client_error_code(err, code, retriable, "%s", message);
	return client_error_code(err, code, retriable, "%s: %s", what, text);
}

int client_error_from_failure(struct correio_error *err, const struct failure *f)
{
	expect(f->status != STATUS_OK);
	const char *text = f->text[0] != '\0' ? f->text : status_text(f->status);
	return client_error_set(err, f->status, "%s", text);
}
