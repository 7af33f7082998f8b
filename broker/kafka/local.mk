noinst_LIBRARIES += libkafka.a
libkafka_a_CFLAGS = $(AM_CFLAGS)
libkafka_a_SOURCES = \
	broker/kafka/kafka_admin_alter_configs.c \
	broker/kafka/kafka_admin_configs.c \
	broker/kafka/kafka_admin_logs.c \
	broker/kafka/kafka_admin_topics.c \
	broker/kafka/kafka_call.c broker/kafka/kafka_call.h \
	broker/kafka/kafka_data_epochs.c \
	broker/kafka/kafka_data_fetch.c \
	broker/kafka/kafka_data_offsets.c \
	broker/kafka/kafka_data_produce.c \
	broker/kafka/kafka_dispatch.c broker/kafka/kafka_dispatch.h \
	broker/kafka/kafka_groups.c broker/kafka/kafka_groups.h \
	broker/kafka/kafka_groups_admin.c \
	broker/kafka/kafka_groups_consumer.c \
	broker/kafka/kafka_groups_members.c \
	broker/kafka/kafka_groups_offsets.c \
	broker/kafka/kafka_fetch.h \
	broker/kafka/kafka_fetch_session.c \
	broker/kafka/kafka_handlers.h \
	broker/kafka/kafka_interbroker.c \
	broker/kafka/kafka_metadata.c \
	broker/kafka/kafka_producers.c
EXTRA_DIST += broker/kafka/README.md
