# The simulated world: linked into tests only.
check_LIBRARIES += libsimulation.a
libsimulation_a_CFLAGS = $(AM_CFLAGS)
libsimulation_a_SOURCES = \
	tests/simulation/sim_disk.c tests/simulation/sim_disk.h \
	tests/simulation/sim_inode.c tests/simulation/sim_inode.h
