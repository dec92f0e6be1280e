//! OpenSearch's named formats.

use super::pattern::Mode;

/// A named format: how it is read and how it is written.
pub struct Named {
    pub parse: String,
    pub print: String,
    pub mode: Mode,
}

/// `\u{1}` is a fraction of a second with its point, `\u{2}` a zone by offset or name.
const OPTIONAL_TIME: &str = "uuuu[-MM[-dd['T'[HH[:mm[:ss[\u{1}]]][\u{2}]]]]]";
const OPTIONAL_TIME_PRINT: &str = "uuuu-MM-dd'T'HH:mm:ss\u{3}XXX";

/// (name without `strict_`, pattern, printed with). Only the first group is always strict.
const BASIC: [(&str, &str); 14] = [
    ("basic_date", "uuuuMMdd"),
    ("basic_date_time", "uuuuMMdd'T'HHmmss\u{1}\u{2}"),
    ("basic_date_time_no_millis", "uuuuMMdd'T'HHmmss\u{2}"),
    ("basic_ordinal_date", "uuuuDDD"),
    ("basic_ordinal_date_time", "uuuuDDD'T'HHmmss\u{1}\u{2}"),
    ("basic_ordinal_date_time_no_millis", "uuuuDDD'T'HHmmss\u{2}"),
    ("basic_time", "HHmmss\u{1}\u{2}"),
    ("basic_time_no_millis", "HHmmss\u{2}"),
    ("basic_t_time", "'T'HHmmss\u{1}\u{2}"),
    ("basic_t_time_no_millis", "'T'HHmmss\u{2}"),
    ("basic_week_date", "YYYY'W'wwe"),
    ("basic_week_date_time", "YYYY'W'wwe'T'HHmmss\u{1}\u{2}"),
    ("basic_week_date_time_no_millis", "YYYY'W'wwe'T'HHmmss\u{2}"),
    ("basic_year_month", "uuuuMM"),
];

const PLAIN: [(&str, &str); 34] = [
    ("date", "uuuu-MM-dd"),
    ("year_month_day", "uuuu-MM-dd"),
    ("year_month", "uuuu-MM"),
    ("year", "uuuu"),
    ("date_hour", "uuuu-MM-dd'T'HH"),
    ("date_hour_minute", "uuuu-MM-dd'T'HH:mm"),
    ("date_hour_minute_second", "uuuu-MM-dd'T'HH:mm:ss"),
    ("date_hour_minute_second_fraction", "uuuu-MM-dd'T'HH:mm:ss\u{1}"),
    ("date_hour_minute_second_millis", "uuuu-MM-dd'T'HH:mm:ss\u{1}"),
    ("date_time", "uuuu-MM-dd'T'HH:mm:ss\u{1}\u{2}"),
    ("date_time_no_millis", "uuuu-MM-dd'T'HH:mm:ss\u{2}"),
    ("hour", "HH"),
    ("hour_minute", "HH:mm"),
    ("hour_minute_second", "HH:mm:ss"),
    ("hour_minute_second_fraction", "HH:mm:ss\u{1}"),
    ("hour_minute_second_millis", "HH:mm:ss\u{1}"),
    ("ordinal_date", "uuuu-DDD"),
    ("ordinal_date_time", "uuuu-DDD'T'HH:mm:ss\u{1}\u{2}"),
    ("ordinal_date_time_no_millis", "uuuu-DDD'T'HH:mm:ss\u{2}"),
    ("time", "HH:mm:ss\u{1}\u{2}"),
    ("time_no_millis", "HH:mm:ss\u{2}"),
    ("t_time", "'T'HH:mm:ss\u{1}\u{2}"),
    ("t_time_no_millis", "'T'HH:mm:ss\u{2}"),
    ("week_date", "YYYY-'W'ww-e"),
    ("week_date_time", "YYYY-'W'ww-e'T'HH:mm:ss\u{1}\u{2}"),
    ("week_date_time_no_millis", "YYYY-'W'ww-e'T'HH:mm:ss\u{2}"),
    ("weekyear", "YYYY"),
    ("week_year", "YYYY"),
    ("weekyear_week", "YYYY-'W'ww"),
    ("weekyear_week_day", "YYYY-'W'ww-e"),
    ("date_optional_time", OPTIONAL_TIME),
    ("date_optional_time_nanos", OPTIONAL_TIME),
    ("iso8601", OPTIONAL_TIME),
    ("rfc3339_lenient", OPTIONAL_TIME),
];

/// The format of that name, `strict_` included.
pub fn find(name: &str) -> Option<Named> {
    let (bare, strict) = match name.strip_prefix("strict_") {
        Some(bare) => (bare, true),
        None => (name, false),
    };
    let always_strict = matches!(bare, "iso8601" | "rfc3339_lenient");
    let entry =
        |table: &[(&'static str, &'static str)]| table.iter().find(|(n, _)| *n == bare).map(|(_, pattern)| *pattern);
    if let Some(pattern) = entry(&BASIC) {
        return Some(Named { parse: pattern.to_owned(), print: print_of(pattern), mode: Mode::Strict });
    }
    let pattern = entry(&PLAIN)?;
    let mode = if strict || always_strict { Mode::Strict } else { Mode::Lenient };
    if always_strict && strict || (bare == "date_optional_time_nanos" && !strict) {
        return None;
    }
    Some(Named { parse: pattern.to_owned(), print: print_of(pattern), mode })
}

/// `\u{3}` prints a fraction of three to nine digits.
fn print_of(pattern: &str) -> String {
    if pattern == OPTIONAL_TIME {
        return OPTIONAL_TIME_PRINT.to_owned();
    }
    pattern.replace('\u{1}', "\u{3}").replace('\u{2}', "XXX")
}
