#include "tools/topic_filter.h"
#include "base/check.h"
#include <regex.h>

struct topic_filter {
	char *text;
	regex_t regex;
	bool compiled;
};

/* Kafka: IncludeList. Blanks go, commas become |, quotes around it go. */
static char *normalise(const char *text)
{
	size_t n = strlen(text), at = 0;
	char *out = (char *)check_alloc(n + 1);
	while (*text == '"' || *text == '\'')
		text++;
	n = strlen(text);
	while (n > 0 && (text[n - 1] == '"' || text[n - 1] == '\''))
		n--;
	for (size_t i = 0; i < n; i++)
		if (text[i] != ' ')
			out[at++] = (char)(text[i] == ',' ? '|' : text[i]);
	out[at] = '\0';
	return out;
}

struct topic_filter *topic_filter_new(const char *text)
{
	struct topic_filter *f = (struct topic_filter *)check_calloc(1, sizeof(*f));
	f->text = normalise(text);
	char *whole = check_asprintf("^(%s)$", f->text);
	f->compiled = regcomp(&f->regex, whole, REG_EXTENDED | REG_NOSUB) == 0;
	free(whole);
	return f;
}

bool topic_filter_matches(const struct topic_filter *f, const char *topic)
{
	if (!f->compiled)
		return strcmp(f->text, topic) == 0;
	return regexec(&f->regex, topic, 0, NULL, 0) == 0;
}

void topic_filter_free(struct topic_filter *f)
{
	if (f == NULL)
		return;
	if (f->compiled)
		regfree(&f->regex);
	free(f->text);
	free(f);
}
