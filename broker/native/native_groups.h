/* What the handlers of group requests share. */
#ifndef NATIVE_NATIVE_GROUPS_H
#define NATIVE_NATIVE_GROUPS_H

#include "native/native_call.h"
#include "service/group_fan.h"

/* A request to one group. Zeroed, its arena the call's; NULL: the call has failed. */
struct native_group_call {
	struct native_call *call;
	struct group_request request;
};
MUST_CHECK struct native_group_call *native_groups_new(struct native_call *c, enum group_request_kind kind, const char *group_id);
void native_groups_start(struct native_group_call *g, void (*answer)(struct group_request *r));
struct native_call *native_groups_call(const struct group_request *r);
/* The request as a whole failed: the group, and why. */
void native_groups_fail(struct native_call *c, const struct group_request *r);

/* Parts for so many groups, their answers together within budget_bytes; released when the call ends. fan->arg is the call. NULL: the
 * call has failed. */
MUST_CHECK struct group_fan *native_groups_fan(struct native_call *c, size_t count, size_t budget_bytes);

/* proto3 knows no null: an empty text stands for it. */
static inline const char *native_groups_optional(const char *s)
{
	return s == NULL || s[0] == '\0' ? NULL : s;
}
/* Bytes that packing only reads. */
static inline ProtobufCBinaryData native_groups_bytes(struct slice s)
{
	return (ProtobufCBinaryData){.len = s.n, .data = (uint8_t *)(uintptr_t)s.p};
}

#endif
