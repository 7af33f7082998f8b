/* Boilerplate of a unit test program: cases are START_TEST(...) functions, listed once in UNIT_MAIN. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H
#include <check.h>
#include <stdlib.h>

/* UNIT_MAIN("bytes", a_test, b_test, ...) */
#define UNIT_MAIN(name, ...)                                                                                           \
	int main(void)                                                                                                 \
	{                                                                                                              \
		const TTest *cases[] = {__VA_ARGS__};                                                                  \
		Suite *suite = suite_create(name);                                                                     \
		TCase *tc = tcase_create(name);                                                                        \
		tcase_set_timeout(tc, 60);                                                                             \
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)                                          \
			tcase_add_test(tc, cases[i]);                                                                  \
		suite_add_tcase(suite, tc);                                                                            \
		SRunner *runner = srunner_create(suite);                                                               \
		srunner_run_all(runner, CK_NORMAL);                                                                    \
		int failed = srunner_ntests_failed(runner);                                                            \
		srunner_free(runner);                                                                                  \
		return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                                                      \
	}
#endif
