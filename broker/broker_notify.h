/* Tells systemd how we are (sd_notify's datagram). Without NOTIFY_SOCKET in the environment nothing happens. */
#ifndef BROKER_NOTIFY_H
#define BROKER_NOTIFY_H
/* state: "READY=1", "STOPPING=1", "STATUS=...". */
void broker_notify_send(const char *state);
#endif
