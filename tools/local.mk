include tools/client/local.mk

# What both programs share.
noinst_LIBRARIES += libtools.a
libtools_a_CFLAGS = $(AM_CFLAGS)
libtools_a_CPPFLAGS = $(AM_CPPFLAGS) -isystem $(top_builddir)/proto/native $(JANSSON_CFLAGS)
libtools_a_SOURCES = \
	tools/assignment.c tools/assignment.h \
	tools/cli.c tools/cli.h \
	tools/group_report.c tools/group_report.h \
	tools/histogram.c tools/histogram.h \
	tools/output.c tools/output.h \
	tools/partition_list.c tools/partition_list.h \
	tools/time_text.c tools/time_text.h \
	tools/topic_filter.c tools/topic_filter.h \
	tools/topic_print.c tools/topic_print.h \
	tools/topic_store.c tools/topic_store.h \
	tools/topic_store_broker.c \
	tools/topic_store_zk.c \
	tools/verifier.c tools/verifier.h
TOOLS_LIBS = libtools.a libclient.a libstorage.a libzk.a libruntime.a libproto.a libconfig.a libbase.a $(SYSTEM_LIBS)

bin_PROGRAMS += tools/correio
tools_correio_CPPFLAGS = $(libtools_a_CPPFLAGS)
tools_correio_SOURCES = \
	tools/main.c tools/commands.h \
	tools/bench.c tools/bench.h \
	tools/cmd_bench_consume.c \
	tools/cmd_bench_latency.c \
	tools/cmd_bench_produce.c \
	tools/cmd_cluster.c \
	tools/cmd_config.c \
	tools/cmd_consume.c \
	tools/cmd_group.c \
	tools/cmd_group_reset.c \
	tools/cmd_log_dump.c \
	tools/cmd_produce.c \
	tools/cmd_topic.c \
	tools/log_dump.h tools/log_dump_index.c tools/log_dump_segment.c tools/log_dump_text.c \
	tools/record_print.c tools/record_print.h
tools_correio_LDADD = $(TOOLS_LIBS)

bin_PROGRAMS += tools/correio-topics
tools_correio_topics_CPPFLAGS = $(libtools_a_CPPFLAGS)
tools_correio_topics_SOURCES = tools/correio_topics.c
tools_correio_topics_LDADD = $(TOOLS_LIBS)

dist_man_MANS = deploy/man/correio.1 deploy/man/correio-topics.1
EXTRA_DIST += tools/README.md tools/client/README.md
