#include "storage/compression.h"

static const char *const names[COMPRESSION_COUNT] = {
	[COMPRESSION_none] = "none",
	[COMPRESSION_gzip] = "gzip",
	[COMPRESSION_snappy] = "snappy",
	[COMPRESSION_lz4] = "lz4",
	[COMPRESSION_zstd] = "zstd",
};

const uint8_t compression_xerial_magic[XERIAL_MAGIC_SIZE] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

const char *compression_name(enum compression_type type)
{
	expect((unsigned)type < COMPRESSION_COUNT);
	return names[type];
}

enum status compression_parse(struct slice name, enum compression_type *ret_type)
{
	for (unsigned i = 0; i < COMPRESSION_COUNT; i++)
		if (slice_equal(name, slice_of_str(names[i]))) {
			*ret_type = (enum compression_type)i;
			return STATUS_OK;
		}
	return STATUS_UNSUPPORTED_COMPRESSION_TYPE;
}
