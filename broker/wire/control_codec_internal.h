/* Turning points in the versions of control requests. */
#ifndef WIRE_CONTROL_CODEC_INTERNAL_H
#define WIRE_CONTROL_CODEC_INTERNAL_H

enum {
	CONTROL_ROLES_BY_TOPIC = 2,    /* LeaderAndIsr: partitions stand under their topics */
	CONTROL_ROLES_BY_ID = 5,       /* LeaderAndIsr: the answer names topics by id */
	CONTROL_PICTURE_ENDPOINTS = 1, /* UpdateMetadata: more than one address per broker */
	CONTROL_PICTURE_LISTENERS = 3, /* UpdateMetadata: addresses bear the listener's name */
	CONTROL_PICTURE_BY_TOPIC = 5,  /* UpdateMetadata: partitions stand under their topics */
	CONTROL_STOP_BY_TOPIC = 1,     /* StopReplica: partitions stand under their topics */
	CONTROL_STOP_BY_STATE = 3,     /* StopReplica: leader epoch and deletion per partition */
};
/* Kafka: AbstractControlRequest.Type */
enum { CONTROL_TYPE_UNKNOWN = 0, CONTROL_TYPE_FULL = 2 };

#endif
