/* No wake-up is lost: a waiter sets its bit and then looks at `used`; a giver lowers `used` and then looks at the bits
 * (both sequentially consistent, so at least one of them sees the other). */
#include "net/request_budget.h"

enum { UNIT_MIN = 4 * 1024, UNIT_MAX = 256 * 1024, UNITS = 64 };

void request_budget_init(struct request_budget *b, size_t max)
{
	expect(max > 0);
	*b = (struct request_budget){.max = max};
	size_t unit = max / UNITS;
	b->unit = unit < UNIT_MIN ? UNIT_MIN : unit > UNIT_MAX ? UNIT_MAX : unit;
}

void request_budget_attach(
	struct request_budget *b, int index, struct scheduler *loop, void (*woken)(struct task *), void *arg)
{
	expect(index >= 0 && index < REQUEST_BUDGET_LOOPS && b->loops[index].loop == NULL);
	b->loops[index].loop = loop;
	b->loops[index].arg = arg;
	task_init(&b->loops[index].woken, "request_budget_woken", woken);
}

void *request_budget_woken(struct task *t)
{
	struct request_budget_loop *slot = CONTAINER_OF(t, struct request_budget_loop, woken);
	atomic_store(&slot->posted, false);
	return slot->arg;
}

bool request_budget_has_room(struct request_budget *b)
{
	/* A budget smaller than a unit still lets one reader in. */
	size_t used = atomic_load(&b->used);
	return used == 0 || (used < b->max && b->max - used >= b->unit);
}

void request_budget_take(struct request_budget *b, size_t n)
{
	size_t before = atomic_fetch_add(&b->used, n);
	expect(before + n >= before);
}

void request_budget_wake(struct request_budget *b, int index)
{
	expect(index >= 0 && index < REQUEST_BUDGET_LOOPS && b->loops[index].loop != NULL);
	if (!atomic_exchange(&b->loops[index].posted, true))
		scheduler_post(b->loops[index].loop, &b->loops[index].woken);
}

static void wake_waiting(struct request_budget *b)
{
	uint64_t bits = atomic_exchange(&b->waiting, 0);
	for (int i = 0; bits != 0; i++, bits >>= 1)
		if ((bits & 1) != 0)
			request_budget_wake(b, i);
}

void request_budget_give(struct request_budget *b, size_t n)
{
	size_t before = atomic_fetch_sub(&b->used, n);
	expect(before >= n);
	if (atomic_load(&b->waiting) != 0 && request_budget_has_room(b))
		wake_waiting(b);
}

bool request_budget_wait(struct request_budget *b, int index)
{
	expect(index >= 0 && index < REQUEST_BUDGET_LOOPS && b->loops[index].loop != NULL);
	atomic_fetch_or(&b->waiting, 1ull << index);
	return !request_budget_has_room(b);
}

bool request_budget_take_overdraft(struct request_budget *b, const void *who)
{
	expect(who != NULL);
	const void *nobody = NULL;
	return atomic_compare_exchange_strong(&b->overdraft, &nobody, who);
}

void request_budget_give_overdraft(struct request_budget *b)
{
	const void *before = atomic_exchange(&b->overdraft, NULL);
	expect(before != NULL);
	if (atomic_load(&b->waiting) != 0)
		wake_waiting(b);
}

size_t request_budget_used(const struct request_budget *b)
{
	return atomic_load_explicit(&b->used, memory_order_relaxed);
}
