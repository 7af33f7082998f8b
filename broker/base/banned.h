/* Forced into every file with -include: calls that have bitten every C daemon (after git's banned.h). */
#ifndef CORREIO_BANNED_H
#define CORREIO_BANNED_H
#ifdef HAVE_CONFIG_H
#include <config.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#pragma GCC poison strcpy strcat sprintf vsprintf strtok gmtime localtime
#endif
/* atoi hides overflow; use bytes_parse_i64. */
#pragma GCC poison atoi atol atoll
#endif
