noinst_LIBRARIES += libservice.a
libservice_a_CFLAGS = $(AM_CFLAGS)
libservice_a_SOURCES = \
	broker/service/admin_description.c broker/service/admin_description.h \
	broker/service/admin_service.c broker/service/admin_service.h broker/service/admin_service_describe.c \
	broker/service/config_edit.c broker/service/config_edit.h \
	broker/service/config_service.c broker/service/config_service.h \
	broker/service/control_service.c broker/service/control_service.h \
	broker/service/controller_service.c broker/service/controller_service.h \
	broker/service/fetch_conversion.c broker/service/fetch_conversion.h \
	broker/service/fetch_service.c broker/service/fetch_service.h \
	broker/service/group_fan.c broker/service/group_fan.h \
	broker/service/group_host.c broker/service/group_host.h \
	broker/service/group_lag.c broker/service/group_lag.h \
	broker/service/group_service.c broker/service/group_service.h \
	broker/service/leader_hint.c broker/service/leader_hint.h \
	broker/service/log_service.c broker/service/log_service.h \
	broker/service/metadata_service.c broker/service/metadata_service.h \
	broker/service/offset_list.c broker/service/offset_list.h \
	broker/service/produce_conversion.c broker/service/produce_conversion.h \
	broker/service/producer_id_service.c broker/service/producer_id_service.h \
	broker/service/producer_list_service.c broker/service/producer_list_service.h \
	broker/service/produce_service.c broker/service/produce_service.h \
	broker/service/service_loop.c broker/service/service_loop.h \
	broker/service/service_message.c broker/service/service_message.h \
	broker/service/topic_settings_cache.c broker/service/topic_settings_cache.h
