/* What a fuzz target is: one function that takes any bytes and must neither crash nor break its own oracle. With
 * --enable-fuzzing libFuzzer calls it; otherwise replay_main.c does, over the seeds in corpus/<target>. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
#endif
