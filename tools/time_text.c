#include "tools/time_text.h"
#include "base/bytes.h"

enum { MS_PER_SECOND = 1000, MS_PER_MINUTE = 60 * MS_PER_SECOND, MS_PER_HOUR = 60 * MS_PER_MINUTE, DIGITS_MAX = 9 };
static const int64_t MS_PER_DAY = 24LL * MS_PER_HOUR;

/* At least min and at most max digits; moves *at past them. */
static bool take_number(const char **at, int min, int max, int *ret_value)
{
	int n = 0, value = 0;
	while (n < max && **at >= '0' && **at <= '9') {
		value = value * 10 + (**at - '0');
		++*at;
		n++;
	}
	*ret_value = value;
	return n >= min;
}

static bool take_letter(const char **at, char letter)
{
	if (**at != letter)
		return false;
	++*at;
	return true;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar (H. Hinnant, days_from_civil). */
static int64_t days_of(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = y / 400, year_of_era = y - era * 400;
	int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return (int64_t)era * 146097 + day_of_era - 719468;
}

static int days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool take_date(const char **at, int64_t *ret_ms)
{
	int year, month, day;
	bool read = take_number(at, 4, 4, &year) && take_letter(at, '-') && take_number(at, 2, 2, &month) && take_letter(at, '-') &&
		take_number(at, 2, 2, &day);
	if (!read || year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
		return false;
	*ret_ms = days_of(year, month, day) * MS_PER_DAY;
	return true;
}

/* ".123": thousandths, further digits are dropped. */
static bool take_fraction(const char **at, int *ret_ms)
{
	int digits = 0, value = 0, scale = 100;
	for (; **at >= '0' && **at <= '9'; ++*at, digits++) {
		value += (**at - '0') * scale;
		scale /= 10;
	}
	*ret_ms = value;
	return digits > 0 && digits <= DIGITS_MAX;
}

static bool take_time(const char **at, int64_t *ret_ms)
{
	int hour, minute, second = 0, ms = 0;
	if (!take_number(at, 2, 2, &hour) || !take_letter(at, ':') || !take_number(at, 2, 2, &minute))
		return false;
	if (take_letter(at, ':') && !take_number(at, 2, 2, &second))
		return false;
	if (take_letter(at, '.') && !take_fraction(at, &ms))
		return false;
	*ret_ms = (int64_t)hour * MS_PER_HOUR + (int64_t)minute * MS_PER_MINUTE + (int64_t)second * MS_PER_SECOND + ms;
	return hour < 24 && minute < 60 && second < 60;
}

static bool take_zone(const char **at, int64_t *ret_ms)
{
	*ret_ms = 0;
	if (**at == '\0' || take_letter(at, 'Z'))
		return true;
	int sign = **at == '-' ? -1 : 1, hours, minutes;
	if (!take_letter(at, '+') && !take_letter(at, '-'))
		return false;
	if (!take_number(at, 2, 2, &hours))
		return false;
	(void)take_letter(at, ':');
	if (!take_number(at, 2, 2, &minutes) || hours > 18 || minutes > 59)
		return false;
	*ret_ms = sign * ((int64_t)hours * MS_PER_HOUR + (int64_t)minutes * MS_PER_MINUTE);
	return true;
}

bool time_text_parse_instant(const char *text, int64_t *ret_ms)
{
	int64_t date_ms, time_ms, zone_ms;
	const char *at = text;
	if (!take_date(&at, &date_ms) || !take_letter(&at, 'T') || !take_time(&at, &time_ms) || !take_zone(&at, &zone_ms))
		return false;
	*ret_ms = date_ms + time_ms - zone_ms;
	return *at == '\0' && *ret_ms >= 0;
}

bool time_text_parse_duration(const char *text, int64_t *ret_ms)
{
	static const struct {
		char letter;
		bool of_day; /* stands behind the T */
		int64_t ms;
	} units[] = {
		{'D', false, 24LL * MS_PER_HOUR}, {'H', true, MS_PER_HOUR}, {'M', true, MS_PER_MINUTE}, {'S', true, MS_PER_SECOND}};
	const char *at = text;
	int64_t total = 0;
	bool in_day = false, any = false;
	if (!take_letter(&at, 'P'))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && *at != '\0'; i++) {
		int value;
		if (units[i].of_day && !in_day && !(in_day = take_letter(&at, 'T')))
			return false;
		const char *before = at;
		if (!take_number(&at, 1, DIGITS_MAX, &value) || !take_letter(&at, units[i].letter)) {
			at = before;
			continue;
		}
		total += value * units[i].ms;
		any = true;
	}
	*ret_ms = total;
	return any && *at == '\0';
}
