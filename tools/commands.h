/* Every command's entry, called with the arguments after its name. Returns the exit status. */
#ifndef TOOLS_COMMANDS_H
#define TOOLS_COMMANDS_H
struct cli_command;
int cmd_topic_create(const struct cli_command *command, int argc, char **argv);
int cmd_topic_list(const struct cli_command *command, int argc, char **argv);
int cmd_topic_describe(const struct cli_command *command, int argc, char **argv);
int cmd_topic_alter(const struct cli_command *command, int argc, char **argv);
int cmd_topic_delete(const struct cli_command *command, int argc, char **argv);
int cmd_produce(const struct cli_command *command, int argc, char **argv);
int cmd_consume(const struct cli_command *command, int argc, char **argv);
int cmd_cluster_describe(const struct cli_command *command, int argc, char **argv);
int cmd_config_describe(const struct cli_command *command, int argc, char **argv);
int cmd_config_alter(const struct cli_command *command, int argc, char **argv);
int cmd_group_list(const struct cli_command *command, int argc, char **argv);
int cmd_group_describe(const struct cli_command *command, int argc, char **argv);
int cmd_group_reset_offsets(const struct cli_command *command, int argc, char **argv);
int cmd_group_delete(const struct cli_command *command, int argc, char **argv);
int cmd_group_delete_offsets(const struct cli_command *command, int argc, char **argv);
int cmd_log_dump(const struct cli_command *command, int argc, char **argv);
int cmd_bench_produce(const struct cli_command *command, int argc, char **argv);
int cmd_bench_consume(const struct cli_command *command, int argc, char **argv);
int cmd_bench_latency(const struct cli_command *command, int argc, char **argv);
#endif
