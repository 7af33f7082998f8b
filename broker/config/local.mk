noinst_LIBRARIES += libconfig.a
libconfig_a_CFLAGS = $(AM_CFLAGS)
libconfig_a_SOURCES = \
	broker/config/broker.def broker/config/ignored.def broker/config/inherited.def \
	broker/config/topic.def broker/config/topic_foreign.def \
	broker/config/config_table.c broker/config/config_table.h \
	broker/config/properties.c broker/config/properties.h \
	broker/config/settings.c broker/config/settings.h broker/config/settings_internal.h \
	broker/config/settings_check.c \
	broker/config/settings_dynamic.c \
	broker/config/settings_help.c \
	broker/config/settings_listeners.c \
	broker/config/settings_table.c \
	broker/config/topic_settings.c
