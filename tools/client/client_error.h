/* Statuses of the tree to the codes of the public header. */
#ifndef CLIENT_ERROR_H
#define CLIENT_ERROR_H
#include "base/status.h"
#include "tools/client/correio.h"

int client_code_of_status(enum status s);
/* Fills err (may be NULL) with the status' code and the text; returns the code. */
int client_error_set(struct correio_error *err, enum status s, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same for a code that has no status (the library's own, or a number the broker sent). */
int client_error_code(struct correio_error *err, int code, bool retriable, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* A broker's error code with its message, prefixed by what was tried ("topic user_activity"). Returns the code. */
int client_error_from_broker(struct correio_error *err, int32_t code, const char *message, const char *what);
int client_error_from_failure(struct correio_error *err, const struct failure *f);
/* Is a broker's code worth a retry? */
bool client_code_retriable(int code);
#endif
